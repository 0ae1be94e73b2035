import { homedir, userInfo } from 'node:os';
import * as vscode from 'vscode';
import { Api } from '../core/api';
import { locate, type Hints, type Where } from '../core/locate';

const PERSON = /^[!-~]([ -~]{0,62}[!-~])?$/;

/** Finds the daemon by settings, environment and files, and keeps its token among VS Code's secrets. */
export class Finder {
  constructor(private readonly secrets: vscode.SecretStorage) {}

  /** A client of the daemon. Throws NoDaemon. */
  async find(): Promise<Api> {
    const where = await locate(hints());
    return new Api(where.url, await this.token(where), person());
  }

  /** Where the daemon is or would be. Throws NoDaemon. */
  where(): Promise<Where> {
    return locate(hints());
  }

  async keep(url: string, token: string): Promise<void> {
    await this.secrets.store(key(url), token);
  }

  /** A token that was refused is not brought again. */
  forget(): void {
    void this.where().then(
      (where) => this.secrets.delete(key(where.url)),
      () => undefined, // there is no daemon to forget one of
    );
  }

  /** The daemon's own file is right where it can be read; what was kept is for elsewhere. */
  private async token(where: Where): Promise<string | undefined> {
    if (where.token === undefined) {
      return this.secrets.get(key(where.url));
    }
    if ((await this.secrets.get(key(where.url))) !== where.token) {
      await this.keep(where.url, where.token);
    }
    return where.token;
  }
}

function key(url: string): string {
  return `token of ${url}`;
}

/** In a workspace that is not trusted its files say nothing, and VS Code withholds its settings. */
export function hints(): Hints {
  const settings = vscode.workspace.getConfiguration('operator');
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return {
    url: settings.get<string>('url', ''),
    stateDir: settings.get<string>('stateDirectory', ''),
    folders: folders.filter((each) => each.uri.scheme === 'file').map((each) => each.uri.fsPath),
    env: process.env,
    home: homedir(),
    platform: process.platform,
  };
}

/** Under this name verdicts are recorded. */
function person(): string | undefined {
  try {
    const name = userInfo().username;
    return PERSON.test(name) ? name : undefined;
  } catch {
    return undefined; // a user without a name is nobody in particular
  }
}
