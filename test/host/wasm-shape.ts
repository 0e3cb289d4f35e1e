/** What a WebAssembly binary is made of, read from its text as wabt prints it. */
import wabt from 'wabt';

export interface Shape {
  /** Kinds of sections that stand in the binary, by their number in the format. */
  readonly sections: ReadonlySet<number>;
  /** `module.name` -> signature, for functions; memories are `memory`. */
  readonly imports: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, string>;
  /** Instruction -> how often it stands in the code. */
  readonly instructions: ReadonlyMap<string, number>;
}

export const SECTION = { table: 4, start: 8, element: 9, data: 11 } as const;

/** Kinds of sections: a byte each, followed by its size as LEB128. */
function sectionsOf(binary: Uint8Array): Set<number> {
  const sections = new Set<number>();
  let at = 8; // after magic and version
  while (at < binary.length) {
    sections.add(binary[at++] ?? 0);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = binary[at++] ?? 0;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return sections;
}

/** `(param i32 i32) (result i32)` -> `i32 i32 -> i32`. */
function signature(text: string): string {
  const part = (kind: string) => new RegExp(`\\(${kind} ([^)]*)\\)`).exec(text)?.[1] ?? '';
  return `${part('param')} -> ${part('result')}`.trim();
}

export async function shapeOf(binary: Uint8Array): Promise<Shape> {
  const { readWasm } = await wabt();
  // wabt reads the whole buffer under a view, and Node keeps small files in a common one: copy.
  const text = readWasm(Uint8Array.from(binary), { threads: true }).toText({});
  const types = [...text.matchAll(/\(type \(;\d+;\) \(func(.*)\)\)$/gm)].map(([, type]) =>
    signature(type ?? ''),
  );
  const functions = new Map<string, string>();
  for (const [, index, type] of text.matchAll(/\(func \(;(\d+);\) \(type (\d+)\)/g)) {
    functions.set(index ?? '', types[Number(type)] ?? '');
  }
  const imports = new Map<string, string>();
  for (const [, module, name, kind, index] of text.matchAll(
    /\(import "([^"]*)" "([^"]*)" \((\w+) \(;(\d+);\)/g,
  )) {
    imports.set(`${module}.${name}`, kind === 'func' ? (functions.get(index ?? '') ?? '') : kind!);
  }
  const exports = new Map<string, string>();
  for (const [, name, kind, index] of text.matchAll(/\(export "([^"]*)" \((\w+) (\d+)\)\)/g)) {
    exports.set(name ?? '', kind === 'func' ? (functions.get(index ?? '') ?? '') : kind!);
  }
  const instructions = new Map<string, number>();
  for (const [, instruction] of text.matchAll(/^\s+([a-z0-9_]+\.[a-z0-9_.]+)/gm)) {
    instructions.set(instruction ?? '', (instructions.get(instruction ?? '') ?? 0) + 1);
  }
  return { sections: sectionsOf(binary), imports, exports, instructions };
}
