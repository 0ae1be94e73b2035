import { readFile } from 'node:fs/promises';
import * as path from 'node:path';
import { parse as parseToml } from 'smol-toml';
import type { Endpoint } from '../protocol';
import { NoDaemon } from './errors';
import { isTable, parse } from './parse';

const LIMIT = 1 << 20;

/** How to reach one daemon. */
export interface Where {
  readonly url: string;
  /** What the daemon's own file holds; undefined where there is none for us to read. */
  readonly token: string | undefined;
  readonly stateDir: string;
}

/** What says where a daemon may be. */
export interface Hints {
  /** The settings; empty means not set. */
  readonly url: string;
  readonly stateDir: string;
  /** Folders in which, or above which, an operator.toml may be; none in a workspace that is not trusted. */
  readonly folders: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly platform: NodeJS.Platform;
}

/** Finds the daemon. An address that was given by hand gets a token only of a daemon with that very address. */
export async function locate(hints: Hints): Promise<Where> {
  const stateDir = await stateDirectory(hints);
  const endpoint = await readEndpoint(stateDir);
  const given = base(hints.url || hints.env['OPERATOR_URL'] || '');
  const own = endpoint === undefined ? '' : base(endpoint.url);
  if (given === '' && endpoint === undefined) {
    throw new NoDaemon(`No daemon runs on the state directory ${stateDir}.`, 'Start one: operator serve');
  }
  const trusted = endpoint !== undefined && (given === '' || given === own);
  const token = hints.env['OPERATOR_TOKEN'] ?? (trusted ? await readToken(endpoint) : undefined);
  return { url: given === '' ? own : given, token, stateDir };
}

function base(url: string): string {
  return url.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
}

/** Where the daemon keeps its state: by setting, environment, an operator.toml, or where it is by default. */
export async function stateDirectory(hints: Hints): Promise<string> {
  const named = hints.stateDir || hints.env['OPERATOR_STATE_DIR'];
  if (named) {
    return path.resolve(expanded(named, hints.home));
  }
  for (const file of configFiles(hints)) {
    const found = await configured(file, hints.home);
    if (found !== undefined) {
      return found;
    }
  }
  return defaultStateDirectory(hints);
}

function expanded(given: string, home: string): string {
  return given === '~' || given.startsWith('~/') ? path.join(home, given.slice(1)) : given;
}

function configFiles(hints: Hints): string[] {
  const named = hints.env['OPERATOR_CONFIG'];
  if (named) {
    return [path.resolve(named)];
  }
  const found = new Set<string>();
  for (const folder of hints.folders) {
    for (let at = path.resolve(folder); ; at = path.dirname(at)) {
      found.add(path.join(at, 'operator.toml'));
      if (at === path.dirname(at)) {
        break;
      }
    }
  }
  return [...found];
}

/** The state directory that a configuration names; the default one's stand-in is undefined. */
async function configured(file: string, home: string): Promise<string | undefined> {
  const text = await read(file);
  if (text === undefined) {
    return undefined;
  }
  try {
    const daemon: unknown = parseToml(text)['daemon'];
    const named = isTable(daemon) ? daemon['state_dir'] : undefined;
    return typeof named === 'string' ? path.resolve(path.dirname(file), expanded(named, home)) : undefined;
  } catch {
    return undefined; // the daemon says what is wrong with it, and does not start
  }
}

function defaultStateDirectory(hints: Hints): string {
  switch (hints.platform) {
    case 'darwin':
      return path.join(hints.home, 'Library', 'Application Support', 'operator');
    case 'win32':
      return path.join(hints.env['LOCALAPPDATA'] ?? path.join(hints.home, 'AppData', 'Local'), 'operator');
    default:
      return path.join(hints.env['XDG_STATE_HOME'] || path.join(hints.home, '.local', 'state'), 'operator');
  }
}

async function readEndpoint(stateDir: string): Promise<Endpoint | undefined> {
  const text = await read(path.join(stateDir, 'endpoint.json'));
  try {
    return text === undefined ? undefined : parse('Endpoint', JSON.parse(text));
  } catch {
    return undefined; // half an address is none
  }
}

async function readToken(endpoint: Endpoint): Promise<string | undefined> {
  const text = endpoint.token_file === null ? undefined : await read(endpoint.token_file);
  return text?.trim() || undefined;
}

async function read(file: string): Promise<string | undefined> {
  try {
    const content = await readFile(file);
    return content.length > LIMIT ? undefined : content.toString('utf8');
  } catch {
    return undefined; // whoever asks says what it means that it cannot be read
  }
}
