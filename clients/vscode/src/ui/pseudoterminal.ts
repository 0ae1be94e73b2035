import * as vscode from 'vscode';
import { plain } from '../core/text';
import { Viewing } from '../core/viewing';
import type { Hub } from './hub';

/** An agent's terminal, fed by the daemon. Closing it ends nothing but the view. */
export class AgentTerminal implements vscode.Pseudoterminal {
  private readonly writing = new vscode.EventEmitter<string>();
  private readonly naming = new vscode.EventEmitter<string>();
  private readonly viewing: Viewing;

  readonly onDidWrite = this.writing.event;
  readonly onDidChangeName = this.naming.event;

  constructor(hub: Hub, agent: string, name: string) {
    const dial = (): { url: string; headers: Record<string, string> } => ({
      url: hub.certain.status.streams.terminal.replace('{agent}', encodeURIComponent(agent)),
      headers: hub.api.bearer,
    });
    this.viewing = new Viewing(dial, {
      write: (text) => this.writing.fire(text),
      online: (is) => this.naming.fire(is ? name : `${name} (offline)`),
      over: (why) => {
        this.naming.fire(`${name} (ended)`); // what it showed last can still be read
        this.writing.fire(`\r\n\u001b[0m[${plain(why)}]\r\n`);
      },
    });
  }

  open(dimensions: vscode.TerminalDimensions | undefined): void {
    if (dimensions !== undefined) {
      this.setDimensions(dimensions);
    }
    this.viewing.open();
  }

  close(): void {
    this.viewing.close();
    vscode.Disposable.from(this.writing, this.naming).dispose();
  }

  handleInput(text: string): void {
    this.viewing.type(text);
  }

  setDimensions({ columns, rows }: vscode.TerminalDimensions): void {
    this.viewing.resize(columns, rows);
  }
}
