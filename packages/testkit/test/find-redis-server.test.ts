import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureRedisServer, findRedisServer } from '../src/index.js';
import { withInstallLock } from '../src/install-lock.js';
import { useLeakCheck } from '../src/vitest.js';

useLeakCheck();

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'testkit-find-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function executable(path: string, script = ''): Promise<string> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), `#!/bin/sh\n${script}`);
  await chmod(join(folder, path), 0o755);
  return join(folder, path);
}

const pathOf = (...folders: string[]) => folders.map((name) => join(folder, name)).join(':');

describe('findRedisServer', () => {
  test('takes REDIS_SERVER_BIN before the PATH', async () => {
    const configured = await executable('own/my-redis');
    await executable('a/redis-server');
    expect(findRedisServer({ REDIS_SERVER_BIN: configured, PATH: pathOf('a') })).toBe(configured);
  });

  test('names a REDIS_SERVER_BIN that is not executable', async () => {
    await executable('a/redis-server');
    const path = join(folder, 'text');
    await writeFile(path, 'not a program');
    const find = () => findRedisServer({ REDIS_SERVER_BIN: path, PATH: pathOf('a') });
    expect(find).toThrow(`REDIS_SERVER_BIN is not an executable file: ${path}`);
  });

  test('takes the first redis-server of the PATH that can be executed', async () => {
    await mkdir(join(folder, 'a/redis-server'), { recursive: true });
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'b/redis-server'), 'not a program');
    const third = await executable('c/redis-server');
    await executable('d/redis-server');
    expect(findRedisServer({ PATH: `:${pathOf('a', 'b', 'c', 'd')}` })).toBe(third);
  });

  test('takes redis-server anywhere on the PATH before valkey-server', async () => {
    const valkey = await executable('a/valkey-server');
    expect(findRedisServer({ PATH: pathOf('a', 'b') })).toBe(valkey);
    const redis = await executable('b/redis-server');
    expect(findRedisServer({ PATH: pathOf('a', 'b') })).toBe(redis);
  });

  test('finds nothing where nothing is', () => {
    expect(findRedisServer({ PATH: folder })).toBeUndefined();
    expect(findRedisServer({})).toBeUndefined();
  });
});

describe('ensureRedisServer', () => {
  // An apt-get that knows no package until it was updated, and writes down how it was called.
  const APT_GET = `
    here=$(cd "\${0%/*}" && pwd)
    echo "$DEBIAN_FRONTEND $RUNLEVEL $*" >> "$here/calls"
    case "$*" in
      *update*) : > "$here/updated" ;;
      *install*)
        [ -e "$here/updated" ] || { echo 'E: Unable to locate package redis-server'; exit 100; }
        printf '#!/bin/sh\\n' > "$here/redis-server"
        /bin/chmod 755 "$here/redis-server" ;;
    esac`;

  async function machineWith(aptGet: string): Promise<NodeJS.ProcessEnv> {
    await executable('bin/apt-get', aptGet);
    // For a tester who is not root; drops the -n.
    await executable('bin/sudo', 'shift\nexec "$@"');
    await executable('bin/true');
    return { PATH: join(folder, 'bin') };
  }

  const calls = async () => (await readFile(join(folder, 'bin/calls'), 'utf8')).trim().split('\n');

  test('installs nothing when there is a server', async () => {
    const env = await machineWith(APT_GET);
    const redis = await executable('bin/redis-server');
    const lines: string[] = [];
    expect(await ensureRedisServer({ log: (line) => lines.push(line), env })).toBe(redis);
    expect(lines).toEqual([]);
    await expect(calls()).rejects.toThrow('ENOENT');
  });

  test('installs with apt-get, updates only when that fails, and logs a line before and after', async () => {
    const env = await machineWith(APT_GET);
    const lines: string[] = [];
    const path = await ensureRedisServer({ log: (line) => lines.push(line), env });
    expect(path).toBe(join(folder, 'bin/redis-server'));
    expect(lines).toEqual([
      'redis-server is not installed: installing it with apt',
      'redis-server is installed',
    ]);
    const install =
      'noninteractive 1 -o DPkg::Lock::Timeout=120 install -y --no-install-recommends redis-server';
    expect(await calls()).toEqual([install, 'noninteractive 1 -o DPkg::Lock::Timeout=120 update', install]);
  });

  test('two at once install once', async () => {
    const env = await machineWith(APT_GET);
    const lines: string[] = [];
    const log = (line: string) => lines.push(line);
    const paths = await Promise.all([ensureRedisServer({ log, env }), ensureRedisServer({ log, env })]);
    expect(new Set(paths)).toEqual(new Set([join(folder, 'bin/redis-server')]));
    expect(lines).toHaveLength(2);
    expect(await calls()).toHaveLength(3);
  });

  test('an installation that fails keeps the last words of apt-get as the cause', async () => {
    const env = await machineWith('echo "E: the disk is full"; exit 100');
    const error = await ensureRedisServer({ log: () => {}, env }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      message: expect.stringContaining('sudo apt-get install redis-server'),
      cause: { message: expect.stringContaining('E: the disk is full') },
    });
  });

  test('where it may not install, the error has a command for each package manager', async () => {
    const ensure = ensureRedisServer({ log: () => {}, env: { PATH: folder } });
    await expect(ensure).rejects.toThrow(
      /apt-get install redis-server[\s\S]*dnf install redis[\s\S]*apk add redis[\s\S]*brew install redis/,
    );
  });
});

describe('the lock of the installation', () => {
  test('holds others back until the work has failed or succeeded', async () => {
    const path = join(folder, 'lock');
    const order: string[] = [];
    const { promise: finished, resolve: finish } = deferred();
    const first = withInstallLock(() => finished.then(() => order.push('first')), path);
    const second = withInstallLock(async () => order.push('second'), path);
    finish();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
    await expect(withInstallLock(() => Promise.reject(new Error('disk full')), path)).rejects.toThrow(
      'disk full',
    );
    await withInstallLock(async () => order.push('third'), path);
    expect(order).toHaveLength(3);
  });

  test('is taken over from a process that died', async () => {
    const path = join(folder, 'lock');
    const { pid: deadPid } = spawnSync(process.execPath, ['--version']);
    await mkdir(path);
    await writeFile(join(path, 'pid'), String(deadPid));
    expect(await withInstallLock(async () => 'mine', path)).toBe('mine');
  });
});

function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
