/** A throw-away Operator: a repository, a board, a daemon as a process of its own. Nothing of it outlives `close`. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { Api } from '../src/core/api';
import type { EventView } from '../src/protocol';

export const ROOT = path.resolve(process.cwd(), '../..');
const PYTHON = path.join(ROOT, '.cache/venv/bin/python');
const REHEARSAL = path.join(ROOT, 'clients/cli/demo/rehearsal');
export const DEADLINE = 30_000;

export class Place {
  readonly root = mkdtempSync('/tmp/opwb-'); // short: paths of sockets are limited
  readonly repo = path.join(this.root, 'repo');
  readonly env: NodeJS.ProcessEnv;
  private daemon: ChildProcess | undefined;
  api = new Api('http://127.0.0.1:1', undefined, undefined);

  constructor(backend: 'tmux' | 'vscode' = 'tmux') {
    for (const folder of ['home', 'run', 'board/queue', 'repo', 'journals']) {
      mkdirSync(path.join(this.root, folder), { recursive: true, mode: 0o700 });
    }
    this.env = {
      PATH: process.env['PATH'] ?? '',
      HOME: path.join(this.root, 'home'),
      LANG: 'C.UTF-8',
      XDG_RUNTIME_DIR: path.join(this.root, 'run'),
      REHEARSAL_JOURNAL: `${this.root}/journals/`,
      PYTHONPATH: ROOT,
      GIT_CONFIG_NOSYSTEM: '1',
      OPERATOR_STATE_DIR: this.state,
    };
    writeFileSync(path.join(this.repo, 'greeter.py'), 'def greet(name):\n    return f"Hello, {name}!"\n');
    this.git('init', '-q', '-b', 'main');
    this.git('config', 'user.name', 'Test');
    this.git('config', 'user.email', 'test@localhost');
    this.git('add', '-A');
    this.git('commit', '-q', '-m', 'Begin');
    writeFileSync(path.join(this.root, 'operator.toml'), config(backend, this.root));
  }

  get state(): string {
    return path.join(this.root, 'state');
  }

  git(...args: string[]): string {
    return execFileSync('git', args, { cwd: this.repo, env: this.env }).toString();
  }

  /** Puts a ticket on the board; the lines are what the rehearsal agent does. */
  ticket(id: string, type: string, title: string, driver: string, ...script: string[]): void {
    const lines = script.map((each) => `rehearse: ${each}\n`).join('');
    const file = path.join(this.root, 'board/queue', `${id}.md`);
    const front = `id: ${id}\ntype: ${type}\ntitle: ${title}\ndriver: ${driver}\n`;
    writeFileSync(`${file}.tmp`, `---\n${front}---\nPlease.\n\n${lines}`);
    renameSync(`${file}.tmp`, file);
  }

  async start(): Promise<void> {
    const args = ['-m', 'clients.cli.main', 'serve', '--config', path.join(this.root, 'operator.toml')];
    const daemon = spawn(PYTHON, [...args, '--state-dir', this.state], { cwd: this.root, env: this.env });
    this.daemon = daemon;
    let log = '';
    daemon.stderr.on('data', (piece) => (log = `${log}${String(piece)}`.slice(-4000)));
    const [line] = (await Promise.race([once(daemon.stdout, 'data'), once(daemon, 'exit')])) as [unknown];
    if (!String(line).includes('listens on')) {
      throw new Error(`the daemon did not start: ${String(line)} ${log}`);
    }
    const endpoint = JSON.parse(readFileSync(path.join(this.state, 'endpoint.json'), 'utf8')) as { url: string };
    const token = readFileSync(path.join(this.state, 'token'), 'utf8').trim();
    this.api = new Api(endpoint.url, token, 'test');
  }

  async kill(): Promise<void> {
    const { daemon } = this;
    if (daemon !== undefined && daemon.exitCode === null && daemon.signalCode === null) {
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
    }
  }

  /** Waits for an entry of the activity, past or future. */
  async until(what: string, met: (event: EventView) => boolean): Promise<EventView> {
    return eventually(what, async () => (await this.api.activity(0, 1000)).events.find(met));
  }

  async close(): Promise<void> {
    await this.kill();
    for (const socket of socketsBelow(path.join(this.root, 'run'))) {
      try {
        execFileSync('tmux', ['-S', socket, 'kill-server'], { stdio: 'ignore' });
      } catch {
        continue; // a socket that is no tmux server's
      }
    }
    for (const pid of processesOf(`REHEARSAL_JOURNAL=${this.root}/journals/`)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        continue; // it has just ended
      }
    }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

function config(backend: string, root: string): string {
  return `
[daemon]
port = 0
stream_port = 0
[queue]
max_agents = 3
driver = "rehearsal"
retry_base = "200ms"
[sessions]
backend = "${backend}"
[projects.repo]
path = "repo"
[drivers.rehearsal]
command = ["${PYTHON}", "-S", "${REHEARSAL}"]
quit = "/exit"
stop_grace = "500ms"
[drivers.asking]
kind = "claude"
command = ["${PYTHON}", "-S", "${REHEARSAL}"]
stop_grace = "500ms"
env = { CLAUDE_CONFIG_DIR = "${root}/home/.rehearsal" }
[collections.board]
provider = "local"
path = "board"
interval = "60s"
`;
}

/** What a question comes to, asked again until there is an answer. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, within = DEADLINE): Promise<T> {
  const end = Date.now() + within;
  for (;;) {
    const found = await ask();
    if (found !== undefined) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${within / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function socketsBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((each) => each.isSocket())
    .map((each) => path.join(each.parentPath, each.name));
}

/** Processes that have this variable in their environment, but not the tests themselves. */
export function processesOf(variable: string): number[] {
  const pids = readdirSync('/proc').filter((each) => /^[0-9]+$/.test(each) && Number(each) !== process.pid);
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable);
    } catch {
      return false; // it has ended, or is another user's
    }
  });
}

