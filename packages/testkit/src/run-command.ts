import { spawn } from 'node:child_process';

/** How a command ended. */
export interface CommandResult {
  /** True for exit status 0. */
  readonly ok: boolean;
  /** stdout and stderr as they came; for a command that could not be started, why. */
  readonly output: string;
}

/** Runs a command to its end without a shell and without stdin; never rejects. */
export function runCommand(
  [file = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => resolve({ ok: false, output: error.message }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/** The last `count` lines of a text that are not empty. */
export function lastLines(text: string, count: number): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-count).join('\n');
}
