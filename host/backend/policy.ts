/**
 * The policy hook: sees every call of every guest before it has any effect, and allows it, denies
 * it with an errno, or only looks on. Without a policy nothing leaves or enters: connect and bind
 * are denied. Trust: `address` and `id` are the guest's words, already decoded and bounded.
 */
import { EACCES } from '../../assembly/wire/errno.js';
import type { CommandName } from './requests.js';
import type { InetAddress } from './socket-layer.js';

export interface PolicyCall {
  readonly domid: number;
  readonly command: CommandName;
  /** Socket id: the guest's own choice of number. */
  readonly id: bigint;
  /** Of connect: the peer. Of bind: the local address. */
  readonly address?: InetAddress;
}

/** 'allow', or the negative errno that the guest gets instead. */
export type Verdict = 'allow' | number;

export type Policy = (call: PolicyCall) => Verdict;

/** The default: no connect, no bind. */
export const denyAll: Policy = ({ command }) =>
  command === 'connect' || command === 'bind' ? -EACCES : 'allow';

/** Every call goes through: the guest reaches whatever the backend's host reaches. */
export const allowAll: Policy = () => 'allow';

export interface AddressRule {
  /** Default: both. */
  readonly command?: 'connect' | 'bind';
  readonly host: string;
  /** Default: every port. */
  readonly port?: number;
  /** Default: every guest. */
  readonly domid?: number;
}

/** Lets connect and bind through for the listed addresses only. */
export function allowAddresses(rules: readonly AddressRule[]): Policy {
  return (call) => {
    const { address } = call;
    if (address === undefined) return 'allow';
    const listed = rules.some(
      (rule) =>
        rule.host === address.host &&
        (rule.command ?? call.command) === call.command &&
        (rule.port ?? address.port) === address.port &&
        (rule.domid ?? call.domid) === call.domid,
    );
    return listed ? 'allow' : -EACCES;
  };
}
