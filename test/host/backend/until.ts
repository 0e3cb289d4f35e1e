/** Waits until something holds; rejects with what was waited for. */
export function until(holds: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (holds()) resolve();
      else if (performance.now() - start > timeoutMs) reject(new Error(`never came: ${what}`));
      else setTimeout(look, 1);
    };
    look();
  });
}
