/** `get`: an HTTP/1.1 client inside a guest. */
import { parseHttpUrl, resolveAddress, show } from './addresses.js';
import { sentenceOf, Failure } from './failure.js';
import { OUTPUT_OPTIONS, WORLD_OPTIONS } from './options.js';
import type { TaskEvent } from './tasks.js';
import { traceWorld } from './trace.js';
import type { Invocation, Verb } from './verb.js';
import { VERSION } from './version.js';
import { closeCleanly, World } from './world.js';

export const getVerb: Verb = {
  name: 'get',
  summary: 'fetch an http URL from inside a guest',
  usage: 'http://HOST[:PORT]/PATH',
  about: `Writes the body to stdout, status and headers to stderr. Names resolve in the backend's
world, to IPv4 addresses. Redirects are shown, not followed. Ends with 1 when the server cannot be
reached, answers with a status of 400 or above, or ends the connection before the body is whole.
With --json, stdout gets one object instead of the body: status, headers, bytes, sha256.`,
  examples: ['get http://example.com/', 'get -q http://127.0.0.1:8080/file.iso > file.iso'],
  options: [...WORLD_OPTIONS, 'trace', ...OUTPUT_OPTIONS],
  arguments: [1, 1],
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { options, output, stop } = invocation;
  const url = parseHttpUrl(invocation.positionals[0] ?? '');
  const named = { host: url.hostname, port: Number(url.port || 80) };
  const address = await resolveAddress(named);
  const world = await World.open(options, 1);
  const untrace = traceWorld(world, invocation);
  try {
    world.allow({ command: 'connect', ...address });
    const event = (news: TaskEvent): void => {
      if (news.event === 'head') output.note(`${news.text}\n`);
    };
    const write = options.json ? undefined : (chunk: Uint8Array) => output.bytes(chunk);
    const params = { address, request: requestLines(url), digest: options.json };
    const handlers = { event, ...(write && { write }) };
    const { crew } = world.guest(0);
    const task = crew.start('fetchHttp', params, handlers);
    stop.signal.addEventListener('abort', () => task.stop(), { once: true });
    if (stop.signal.aborted) task.stop();
    const { lines, elapsedMs, ...fetched } = await task.result;
    if (options.json) {
      output.result('', { url: url.href, ...fetched, headers: lines.slice(1), elapsedMs });
    }
    return fetched.status < 400 ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return stop.exitCode ?? 0;
    throw new Failure(`${url.href}: ${sentenceOf(error, show(named))}`);
  } finally {
    await closeCleanly(world).finally(untrace);
  }
}

function requestLines({ host, pathname, search, username, password }: URL): string[] {
  const credentials = Buffer.from(
    `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
  );
  return [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${host}`,
    `User-Agent: pvcalls/${VERSION}`,
    'Accept: */*',
    ...(username === '' ? [] : [`Authorization: Basic ${credentials.toString('base64')}`]),
    'Connection: close',
  ];
}
