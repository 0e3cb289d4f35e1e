/** `ls` shows what a running instance is made of, and only running ones. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';

import { Client, server } from './hosts.js';
import { activeSockets, folder, list, run, running } from './program.js';

const instances = join(folder, `pvcalls-${userInfo().uid}`);

describe('ls', () => {
  it('ends with 1 and a sentence when nothing runs', async () => {
    const { exitCode, stdout, stderr } = await run('ls');
    expect(stderr).toContain('no instance is running');
    expect(stdout.length).toBe(0);
    expect(exitCode).toBe(1);
  });

  it('shows domains, sockets, grants, event channels and xenstore', async () => {
    const target = await server((socket) => socket.pipe(socket));
    const { program, port } = await running('forward', '0', `127.0.0.1:${target}`);
    const client = await Client.connect(port);
    client.socket.write('x');
    await client.received(1);
    const { stdout, exitCode } = await run('ls', String(program.child.pid));
    expect(exitCode).toBe(0);
    const text = stdout.toString();
    expect(text).toContain(`pid ${program.child.pid}: forward 0 127.0.0.1:${target}`);
    expect(text).toMatch(new RegExp(`active +127\\.0\\.0\\.1:${target} +4 +1 +1 `));
    expect(text).toMatch(/guest-1/);
    expect(text).toMatch(/1 +Connected +Connected/);
    expect(text).toMatch(/\d+ +interdomain +0/);
    expect(text).toContain('/local/domain/1/device/pvcalls/0/state = "4"');
    const listing = await list(program);
    expect(listing.domains[1]!.grants.length).toBeGreaterThan(17);
    expect(listing.devices[0]!.sockets).toHaveLength(1);
  });

  it('shows every instance, or the one that is asked for', async () => {
    const first = await running('forward', '0', '127.0.0.1:9');
    const second = await running('expose', '0', '127.0.0.1:9');
    const pids = [first, second].map(({ program }) => program.child.pid!).sort((a, b) => a - b);
    const { stdout } = await run('ls', '--json');
    const lines = stdout.toString().trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { pid: number }).pid)).toEqual(pids);
    expect((await list(second.program)).command).toEqual(['expose', '0', '127.0.0.1:9']);
    const { exitCode, stderr } = await run('ls', '1');
    expect(stderr).toContain(`running: ${pids.join(', ')}`);
    expect(exitCode).toBe(1);
    expect(await activeSockets(first.program, 0)).toBe(0);
  });

  it('keeps its sockets in a folder of the user, and removes what is stale', async () => {
    const { program } = await running('forward', '0', '127.0.0.1:9');
    expect(statSync(instances).mode & 0o777).toBe(0o700);
    const file = join(instances, `${program.child.pid}.sock`);
    await program.end('SIGKILL');
    expect(existsSync(file)).toBe(true);
    writeFileSync(join(instances, 'note.txt'), 'not ours');
    const { exitCode } = await run('ls');
    expect(exitCode).toBe(1);
    expect(readdirSync(instances)).toEqual(['note.txt']);
  });

  it('finds nothing after a clean end', async () => {
    const { program } = await running('expose', '0', '127.0.0.1:9');
    await program.end('SIGTERM');
    expect(existsSync(join(instances, `${program.child.pid}.sock`))).toBe(false);
  });
});
