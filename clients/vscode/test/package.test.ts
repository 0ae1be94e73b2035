import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from '../src/core/parse';
import { agent, status } from './samples';

interface Manifest {
  readonly enabledApiProposals?: unknown;
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string; readonly category: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
  };
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const declared = manifest.contributes.commands.map((each) => each.command);
const sources = ['src', 'src/core', 'src/ui'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
);

test('the palette has the five commands by these names', () => {
  const names = manifest.contributes.commands.map((each) => `${each.category}: ${each.title}`);
  for (const name of [
    'Operator: Sync Kanban Collections',
    'Operator: Pause Queue Processing',
    'Operator: Resume Queue Processing',
    'Operator: Approve Review',
    'Operator: Reject Review',
  ]) {
    assert.equal(names.filter((each) => each === name).length, 1, name);
  }
});

test('every command is declared and carried out, and menus name no other', () => {
  const table = readFileSync('src/commands.ts', 'utf8');
  const carried = [...table.matchAll(/\['(operator\.\w+)'/g)].map((each) => each[1]);
  assert.deepEqual([...carried].sort(), [...declared].sort());
  const named = Object.values(manifest.contributes.menus).flat();
  assert.deepEqual(named.map((each) => each.command).filter((each) => !declared.includes(each)), []);
});

test('no proposed API is used, and only the thin part knows VS Code', () => {
  assert.equal(manifest.enabledApiProposals, undefined);
  assert.equal(sources.some((text) => /onDidWriteTerminalData|vscode\.proposed/.test(text)), false);
  for (const name of readdirSync('src/core')) {
    assert.doesNotMatch(readFileSync(`src/core/${name}`, 'utf8'), /from 'vscode'/, name);
  }
});

test('an answer is checked before it is believed', () => {
  assert.equal(parse('StatusView', { ...status(), later: 1 }).version, '0.1.0');
  const wrong = { agents: [{ ...agent('A~1'), state: null }], count: 1 };
  assert.throws(() => parse('AgentList', wrong), /AgentList\.agents\[0\]\.state is no table/);
});
