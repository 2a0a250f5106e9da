import { spawn } from 'node:child_process';

/**
 * Runs a command in the repository and resolves with its exit code and output; it never rejects.
 *
 * @param {readonly [string, ...string[]]} command
 * @param {{ show?: boolean, env?: Record<string, string> }} [options] `show`: passes the output through as it comes.
 */
export function run([program, ...args], { show = false, env = {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => resolve({ code: 1, output: String(error) }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** A program of a development dependency of this repository. */
export function tool(name) {
  const suffix = process.platform === 'win32' ? '.cmd' : '';
  return new URL(`../node_modules/.bin/${name}${suffix}`, import.meta.url).pathname;
}
