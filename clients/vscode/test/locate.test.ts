import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { NoDaemon } from '../src/core/errors';
import { locate, stateDirectory, type Hints } from '../src/core/locate';

const root = mkdtempSync(path.join(tmpdir(), 'operator-locate-'));
after(() => rmSync(root, { recursive: true, force: true }));

function hints(more: Partial<Hints> = {}): Hints {
  return { url: '', stateDir: '', folders: [], env: {}, home: root, platform: 'linux', ...more };
}

function daemon(stateDir: string, url: string): void {
  mkdirSync(stateDir, { recursive: true });
  const token = path.join(stateDir, 'token');
  writeFileSync(token, 'secret\n');
  const about = { pid: 1, version: '1', stream_url: 'ws://x', socket: null, started_at: 't' };
  writeFileSync(path.join(stateDir, 'endpoint.json'), JSON.stringify({ ...about, url, token_file: token }));
}

test('the state directory is named, configured or the usual one', async () => {
  assert.equal(await stateDirectory(hints()), path.join(root, '.local/state/operator'));
  assert.equal(await stateDirectory(hints({ env: { XDG_STATE_HOME: '/x' } })), '/x/operator');
  assert.equal(await stateDirectory(hints({ env: { OPERATOR_STATE_DIR: '/y' } })), '/y');
  const both = hints({ stateDir: '~/z', env: { OPERATOR_STATE_DIR: '/y' } });
  assert.equal(await stateDirectory(both), path.join(root, 'z'));
  const deep = path.join(root, 'w/a/b');
  mkdirSync(deep, { recursive: true });
  writeFileSync(path.join(root, 'w/operator.toml'), '[daemon]\nstate_dir = "state"\n');
  assert.equal(await stateDirectory(hints({ folders: [deep] })), path.join(root, 'w/state'));
  writeFileSync(path.join(root, 'w/operator.toml'), '[daemon\n');
  assert.equal(await stateDirectory(hints({ folders: [deep] })), path.join(root, '.local/state/operator'));
});

test('a daemon is found with its token', async () => {
  const stateDir = path.join(root, 's1');
  daemon(stateDir, 'http://127.0.0.1:7008/');
  assert.deepEqual(await locate(hints({ stateDir })), { url: 'http://127.0.0.1:7008', token: 'secret', stateDir });
});

test('the token goes to nobody else', async () => {
  const stateDir = path.join(root, 's2');
  daemon(stateDir, 'http://127.0.0.1:7008');
  assert.equal((await locate(hints({ stateDir, url: 'http://elsewhere:7008' }))).token, undefined);
  assert.equal((await locate(hints({ stateDir, url: 'http://127.0.0.1:7008/api/v1' }))).token, 'secret');
});

test('where no daemon is, that is said', async () => {
  await assert.rejects(locate(hints()), NoDaemon);
  const stateDir = path.join(root, 's3');
  mkdirSync(stateDir);
  writeFileSync(path.join(stateDir, 'endpoint.json'), '{"url": 7}');
  await assert.rejects(locate(hints({ stateDir })), NoDaemon);
});
