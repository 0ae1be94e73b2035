import { watchFile, unwatchFile } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { OperatorError } from '../core/errors';
import { Environment, onPath, serve, tail } from '../core/serving';
import type { Finder } from './finder';
import type { Hub } from './hub';

const LOOK = 500;

/** Starts a daemon where none runs, and installs one where there is none to start. */
export class Daemon implements vscode.Disposable {
  private readonly output = vscode.window.createOutputChannel('Operator Daemon', 'log');
  private readonly environment: Environment;
  private readonly wheels: string;
  private readonly log: string;

  constructor(
    context: vscode.ExtensionContext,
    private readonly hub: Hub,
    private readonly finder: Finder,
  ) {
    const { extension, globalStorageUri } = context;
    const { version } = extension.packageJSON as { version: string };
    this.wheels = path.join(extension.extensionPath, 'out');
    this.log = path.join(globalStorageUri.fsPath, 'serve.log');
    this.environment = new Environment(path.join(globalStorageUri.fsPath, 'environments'), this.wheels, version);
    watchFile(this.log, { interval: LOOK, persistent: false }, () => void this.read());
  }

  dispose(): void {
    unwatchFile(this.log);
    this.output.dispose();
  }

  /** Starts `operator serve`; its log is shown. Where it is not installed, that is offered. */
  async start(): Promise<void> {
    const program = (await this.program()) ?? (await this.offered());
    if (program === undefined) {
      return;
    }
    const settings = vscode.workspace.getConfiguration('operator');
    const args = settings.get<string[]>('serveArguments', []);
    const folder = vscode.workspace.workspaceFolders?.find((each) => each.uri.scheme === 'file')?.uri.fsPath;
    await serve(program, args, folder ?? homedir(), this.log);
    await this.showLog();
    this.hub.connect();
  }

  async installOnly(): Promise<void> {
    const program = await this.install();
    void vscode.window.showInformationMessage(`Operator is installed: ${program}`);
  }

  async showLog(): Promise<void> {
    await this.read();
    this.output.show(true);
  }

  /** Installs `operator` from the wheel in this extension, into an environment of the extension's own. */
  async install(): Promise<string> {
    const wheel = (await readdir(this.wheels)).find((each) => each.endsWith('.whl'));
    if (wheel === undefined) {
      throw new OperatorError('This extension came without Operator.', 'Install it with pip.');
    }
    const options = { location: vscode.ProgressLocation.Notification, title: 'Installing Operator', cancellable: true };
    return vscode.window.withProgress(options, async (_, cancelled) => {
      const abort = new AbortController();
      cancelled.onCancellationRequested(() => {
        abort.abort();
      });
      return this.environment.install(wheel, abort.signal);
    });
  }

  /** Asks for the token of a daemon whose file cannot be read here. */
  async enterToken(): Promise<void> {
    const { url } = await this.finder.where();
    const prompt = '`operator token show` tells it. It is kept among the secrets of VS Code.';
    const token = await vscode.window.showInputBox({ title: `The token of ${url}`, prompt, password: true });
    if (token?.trim()) {
      await this.finder.keep(url, token.trim());
      this.hub.connect();
    }
  }

  private async program(): Promise<string | undefined> {
    const named = vscode.workspace.getConfiguration('operator').get<string>('command', '');
    return named || (await onPath('operator', process.env)) || this.environment.program();
  }

  private async offered(): Promise<string | undefined> {
    const question = 'Operator is not installed. Install it for this extension, in an environment of its own?';
    const chosen = await vscode.window.showInformationMessage(question, { modal: true }, 'Install');
    return chosen === undefined ? undefined : this.install();
  }

  private async read(): Promise<void> {
    this.output.replace(await tail(this.log));
  }
}
