/** What a peer or a test remembers, kept in wasm memory, so that it is part of a state. */

/** Numbers of 32 bits with names, one after the other from the address `at` on. */
export function numbersAt<Name extends string>(
  memory: WebAssembly.Memory,
  at: number,
  names: readonly Name[],
): Record<Name, number> {
  const words = new Int32Array(memory.buffer, at, names.length);
  const result = {} as Record<Name, number>;
  names.forEach((name, index) => {
    Object.defineProperty(result, name, {
      get: () => words[index]!,
      set: (value: number) => (words[index] = value),
    });
  });
  return result;
}
