/** How `operator serve` is started, and what its log says. Nothing here knows VS Code. */

import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { OperatorError } from './errors';

const run = promisify(execFile);

const INSTALL = 600_000;
const ASK = 20_000;
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11'];
const CHECK = 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))';
const STAMP = 'installed';
/** Bytes of a log's end that are shown. */
const TAIL = 256 * 1024;

/** The program of that name on PATH. */
export async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(path.delimiter).filter((each) => path.isAbsolute(each))) {
    const file = path.join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      continue; // it may be in the next one
    }
  }
  return undefined;
}

/** An environment of the extension's own that `operator` is installed in, from the wheel that came with it. */
export class Environment {
  constructor(
    private readonly folder: string,
    private readonly wheels: string,
    private readonly version: string,
  ) {}

  private get root(): string {
    return path.join(this.folder, this.version);
  }

  private get bin(): string {
    return path.join(this.root, process.platform === 'win32' ? 'Scripts' : 'bin');
  }

  /** The `operator` in it; undefined where the installation is not complete. */
  async program(): Promise<string | undefined> {
    try {
      await readFile(path.join(this.root, STAMP));
      return path.join(this.bin, 'operator');
    } catch {
      return undefined;
    }
  }

  /** Makes it anew. What an interrupted installation left is removed first; the stamp is written last. */
  async install(wheel: string, signal: AbortSignal): Promise<string> {
    const python = await suitablePython();
    await rm(this.root, { recursive: true, force: true });
    await mkdir(this.folder, { recursive: true });
    const limits = { timeout: INSTALL, signal, maxBuffer: 16 * 1024 * 1024 };
    try {
      await run(python, ['-m', 'venv', this.root], limits);
      const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', path.join(this.wheels, wheel)];
      await run(path.join(this.bin, 'python'), pip, limits);
    } catch (error) {
      throw new OperatorError(`Operator was not installed: ${lastLine(error)}`, 'The network may be missing.');
    }
    await writeFile(path.join(this.root, STAMP), `${wheel}\n`);
    return path.join(this.bin, 'operator');
  }
}

async function suitablePython(): Promise<string> {
  for (const name of PYTHONS) {
    try {
      await run(name, ['-c', CHECK], { timeout: ASK });
      return name;
    } catch {
      continue; // missing, too old or without venv
    }
  }
  const message = 'Python 3.11, 3.12 or 3.13 with its venv module is needed.';
  throw new OperatorError(message, 'sudo apt-get install python3-venv');
}

function lastLine(error: unknown): string {
  const told = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
  return told.trim().split('\n').at(-1) ?? '';
}

/** Starts a daemon that outlives us. It writes to the log file, and is ours to forget. */
export async function serve(program: string, args: readonly string[], folder: string, log: string): Promise<void> {
  await mkdir(path.dirname(log), { recursive: true });
  const file = await open(log, 'w', 0o600);
  try {
    await new Promise<void>((resolve, reject) => {
      const stdio = ['ignore' as const, file.fd, file.fd];
      const child = spawn(program, ['serve', ...args], { cwd: folder, detached: true, stdio });
      child.once('error', (error) => {
        reject(new OperatorError(`${program} cannot be started: ${error.message}`));
      });
      child.once('spawn', () => {
        child.unref();
        resolve();
      });
    });
  } finally {
    await file.close();
  }
}

/** The end of a log; empty where there is none. */
export async function tail(log: string): Promise<string> {
  try {
    const file = await open(log, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, TAIL);
      const content = Buffer.alloc(length);
      await file.read(content, 0, length, size - length);
      return content.toString('utf8');
    } finally {
      await file.close();
    }
  } catch {
    return ''; // it was never started from here
  }
}
