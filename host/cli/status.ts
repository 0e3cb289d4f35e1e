/**
 * How `ls` and `backend` find running instances: each long-running verb answers on a socket named
 * after its process, in a folder that only its user can enter. Whoever connects sends nothing and
 * gets one snapshot, or the name of an action and gets `{ pid }` or `{ pid, error }`; all as JSON.
 * Trust: a folder that others own, or can enter, is not used.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Failure, sentenceOf } from './failure.js';
import type { Output } from './output.js';
import { takeSnapshot, type Snapshot } from './snapshot.js';
import { BACKEND_ACTIONS, type World } from './world.js';

const FOLDER_MODE = 0o700;
const OTHERS = 0o077;
const ANSWER_TIMEOUT_MS = 5_000;

/** Serves snapshots until closed. An instance that cannot says why, and works all the same. */
export async function serveStatus(
  world: World,
  command: readonly string[],
  output: Output,
): Promise<{ close(): void }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined); // whoever asks may leave before the answer
    let request = '';
    socket.setEncoding('utf8').on('data', (chunk) => (request += String(chunk)));
    socket.on('end', () => {
      (request === '' ? takeSnapshot(world, command) : control(world, request)).then(
        (answer) => socket.end(JSON.stringify(answer)),
        () => socket.destroy(),
      );
    });
  });
  try {
    const path = join(openFolder(), `${process.pid}.sock`);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
  } catch (error) {
    output.warn(`ls will not find this instance: ${sentenceOf(error)}`);
  }
  server.unref();
  return { close: () => server.close() }; // removes the file, too
}

/** Snapshots of the instances that answer; files of those that have gone are removed. */
export async function readInstances(): Promise<Snapshot[]> {
  return (await askInstances('')) as Snapshot[];
}

/** What the instances answer to a request, by process id; all, or the one with this id. */
export async function askInstances(request: string, pid?: number): Promise<{ pid: number }[]> {
  const folder = openFolder();
  const wanted = pid === undefined ? /^\d+\.sock$/ : new RegExp(`^${pid}\\.sock$`);
  const names = readdirSync(folder).filter((name) => wanted.test(name));
  const answers = await Promise.all(names.map((name) => ask(join(folder, name), request)));
  return answers.filter((answer) => answer !== undefined).sort((a, b) => a.pid - b.pid);
}

async function control(world: World, request: string): Promise<{ pid: number; error?: string }> {
  const { pid } = process;
  const action = BACKEND_ACTIONS.find((each) => each === request);
  if (action === undefined) return { pid, error: 'it knows no such action' };
  try {
    await world.control(action);
    return { pid };
  } catch (error) {
    return { pid, error: sentenceOf(error) };
  }
}

/** The folder of this user's instances, made when there is none. Throws a Failure. */
function openFolder(): string {
  const { uid, username } = userInfo();
  const folder = join(tmpdir(), `pvcalls-${uid < 0 ? username : uid}`);
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const found = lstatSync(folder);
  const own = uid < 0 || found.uid === uid;
  if (!found.isDirectory() || !own) throw new Failure(`${folder} is not a folder of this user`);
  if (uid >= 0 && (found.mode & OTHERS) !== 0) chmodSync(folder, FOLDER_MODE);
  return folder;
}

function ask(path: string, request: string): Promise<{ pid: number } | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect({ path, allowHalfOpen: true });
    socket.end(request);
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy());
    socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED') rmSync(path, { force: true });
    });
    socket.on('close', () => resolve(parseAnswer(text)));
  });
}

function parseAnswer(text: string): { pid: number } | undefined {
  try {
    return JSON.parse(text) as { pid: number };
  } catch {
    return undefined; // it ended while it answered
  }
}
