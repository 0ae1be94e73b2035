// Bundles the extension into out/extension.js; with `test` or `workbench` the tests of that folder into out/<folder>/.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const what = process.argv[2];
const common = { bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'warning' };

if (what === undefined) {
  // ws has two native helpers that it does without.
  const external = ['vscode', 'bufferutil', 'utf-8-validate'];
  await build({ ...common, entryPoints: ['src/extension.ts'], outfile: 'out/extension.js', external, minify: true });
} else {
  rmSync(`out/${what}`, { recursive: true, force: true });
  const entryPoints = readdirSync(what)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => `${what}/${name}`);
  const external = ['bufferutil', 'utf-8-validate', 'playwright-core'];
  await build({ ...common, entryPoints, outdir: `out/${what}`, external, sourcemap: 'inline' });
}
