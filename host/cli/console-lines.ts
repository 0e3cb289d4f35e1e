/** A console in whole lines: two of them may share a terminal, and neither tears the other. */
import { StringDecoder } from 'node:string_decoder';

export class ConsoleLines {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';

  /** `show` gets each line as soon as it is whole, without its end. */
  constructor(private readonly show: (line: string) => void) {}

  take(chunk: string | Buffer): void {
    this.rest += typeof chunk === 'string' ? chunk : this.decoder.write(chunk);
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.show(line.replace(/\r+$/, ''));
  }

  /** Nothing comes any more: shows a line that was cut. */
  end(): void {
    const last = this.rest + this.decoder.end();
    this.rest = '';
    if (last !== '') this.show(last);
  }
}
