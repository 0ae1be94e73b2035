import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { changedFiles } from '../src/core/patch';

const folder = mkdtempSync(path.join(tmpdir(), 'operator-patch-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: string[]): string {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@localhost'];
  return execFileSync('git', [...identity, ...args], { cwd: folder, env }).toString();
}

const lines = (count: number): string => Array.from({ length: count }, (_, n) => `line ${n}\n`).join('');
const read = (file: string): Promise<string | undefined> => {
  try {
    return Promise.resolve(readFileSync(path.join(folder, file), 'utf8'));
  } catch {
    return Promise.resolve(undefined);
  }
};

test('both sides of a real patch are whole files', async () => {
  git('init', '-q', '-b', 'main');
  writeFileSync(path.join(folder, 'long ü.txt'), lines(50));
  writeFileSync(path.join(folder, 'gone.txt'), 'gone\n');
  writeFileSync(path.join(folder, 'tail.txt'), 'no end');
  writeFileSync(path.join(folder, 'image.bin'), Buffer.from([0, 1, 2]));
  git('add', '-A');
  git('commit', '-q', '-m', 'Begin');
  const changed = lines(50).replace('line 3\n', 'line three\n').replace('line 40\n', '');
  writeFileSync(path.join(folder, 'long ü.txt'), changed);
  writeFileSync(path.join(folder, 'tail.txt'), 'an end\n');
  writeFileSync(path.join(folder, 'image.bin'), Buffer.from([0, 1, 3]));
  writeFileSync(path.join(folder, 'new.txt'), 'new\n');
  rmSync(path.join(folder, 'gone.txt'));
  git('add', '-A', '-N');
  const patch = git('diff', '--no-color', 'HEAD', '--');

  const found = new Map((await changedFiles(patch, read)).map((each) => [each.path, each]));
  assert.deepEqual([...found.keys()].sort(), ['gone.txt', 'image.bin', 'long ü.txt', 'new.txt', 'tail.txt']);
  assert.deepEqual(found.get('long ü.txt'), { path: 'long ü.txt', before: lines(50), after: changed, partial: false });
  assert.deepEqual(found.get('new.txt'), { path: 'new.txt', before: undefined, after: 'new\n', partial: false });
  assert.deepEqual(found.get('gone.txt'), { path: 'gone.txt', before: 'gone\n', after: undefined, partial: false });
  assert.equal(found.get('tail.txt')?.before, 'no end');

  const elsewhere = await changedFiles(patch, () => Promise.resolve(undefined));
  const part = elsewhere.find((each) => each.path === 'long ü.txt');
  assert.equal(part?.partial, true);
  assert.match(part.after ?? '', /line three\n[\s\S]*⋯\n[\s\S]*line 41\n/);
  assert.doesNotMatch(part.after ?? '', /line 40\n/);
});

test('a file that is another one by now is not invented', async () => {
  const patch = '--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-one\n+two\n three\n';
  const [found] = await changedFiles(patch, () => Promise.resolve('something else\n'));
  assert.deepEqual(found, { path: 'x', before: 'one\nthree\n', after: 'two\nthree\n', partial: true });
});

test('no path leads out of the worktree', async () => {
  const asked: string[] = [];
  const patch = '--- a/../../etc/passwd\n+++ b/../../etc/passwd\n@@ -1 +1 @@\n-a\n+b\n';
  await changedFiles(patch, (file) => {
    asked.push(file);
    return Promise.resolve('b\n');
  });
  assert.deepEqual(asked, []);
});
