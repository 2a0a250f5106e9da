import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Inside the package, so that the blocks find the packages that they import. */
const SCRATCH = fileURLToPath(new URL(`../.cache/readme-${process.pid}/`, import.meta.url));

const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
let runs = 0;

/** The code block with that info string which contains a piece of text. */
export function blockOf(info: string, piece: string): string {
  const blocks = [...text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)];
  const found = blocks.find(([, each, code]) => each === info && code?.includes(piece));
  if (found?.[2] === undefined) throw new Error(`The README has no block "${info}" with ${piece}`);
  return found[2];
}

/** Runs a block as a module, with what it needs from the page around it as its variables. */
export async function runBlock(code: string, variables: Readonly<Record<string, unknown>>): Promise<void> {
  await mkdir(SCRATCH, { recursive: true });
  runs += 1;
  const file = `${SCRATCH}${runs}.mjs`;
  const slot = `readme${runs}`;
  Reflect.set(globalThis, slot, variables);
  await writeFile(file, `const { ${Object.keys(variables).join(', ')} } = globalThis.${slot};\n${code}`);
  await import(/* @vite-ignore */ pathToFileURL(file).href);
}

export async function removeBlocks(): Promise<void> {
  await rm(SCRATCH, { recursive: true, force: true });
}
