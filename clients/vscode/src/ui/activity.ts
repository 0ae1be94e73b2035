import * as vscode from 'vscode';
import { line } from '../core/activity';
import type { EventView } from '../protocol';
import type { Hub } from './hub';

const EARLIER = 200;

/** The activity in an output channel: what was lately, and then what happens. */
export class Activity implements vscode.Disposable {
  private readonly output = vscode.window.createOutputChannel('Operator Activity', 'log');
  private readonly parts: vscode.Disposable;
  private last = 0;
  private following = false;

  constructor(private readonly hub: Hub) {
    this.parts = hub.onActivity((events) => {
      if (this.following) {
        this.append(events);
      }
    });
  }

  dispose(): void {
    vscode.Disposable.from(this.parts, this.output).dispose();
  }

  async show(): Promise<void> {
    const { api, world } = this.hub;
    const since = Math.max(this.last, (world?.status.head ?? 0) - EARLIER, 0);
    this.append((await api.activity(since, 1000)).events);
    this.following = true;
    this.output.show(true);
  }

  private append(events: readonly EventView[]): void {
    for (const event of events) {
      if (event.seq > this.last) {
        this.last = event.seq;
        this.output.appendLine(line(event));
      }
    }
  }
}
