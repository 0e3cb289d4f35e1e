/** Errors of xenstore, by the names that travel on the wire. */
export type StoreErrorCode =
  | 'EINVAL'
  | 'EACCES'
  | 'EEXIST'
  | 'ENOENT'
  | 'ENOSPC'
  | 'EPERM'
  | 'E2BIG'
  | 'EBUSY'
  | 'EAGAIN'
  | 'ENOSYS'
  | 'EIO';

export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly code: StoreErrorCode,
    message: string,
  ) {
    super(`xenstore: ${message} (${code})`);
  }
}
