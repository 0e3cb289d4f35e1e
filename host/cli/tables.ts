/** Tables in plain text, for people and for grep. */

/** Rows under a head, columns padded; numbers to the right. Empty text without rows. */
export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  if (rows.length === 0) return '';
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  const right = head.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  return cells
    .map((row) =>
      row
        .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A title and what is below it; undefined when there is nothing below. */
export function section(title: string, body: string): string | undefined {
  if (body === '') return undefined;
  const indented = body.replace(/^/gm, '  ');
  return `${title}\n${indented}`;
}

/** 8,388,608 */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

/** Milliseconds with three digits that matter to a reader. */
export function ms(value: number): string {
  return value.toFixed(value < 10 ? 3 : 1);
}
