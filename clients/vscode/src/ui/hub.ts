import * as vscode from 'vscode';
import type { Api } from '../core/api';
import { NoDaemon, told } from '../core/errors';
import { Link } from '../core/link';
import type { State } from '../core/reconnect';
import { Coalesced, readWorld, type World } from '../core/world';
import type { EventView } from '../protocol';
import type { Finder } from './finder';

/** Milliseconds until what could not be read is read again. */
const AGAIN = 1_000;
/** Milliseconds between two readings of the world at least. */
const PAUSE = 100;

/** What this window knows of the daemon, and the way to it. */
export class Hub implements vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly events = new vscode.EventEmitter<readonly EventView[]>();
  private readonly link: Link;
  private readonly reading = new Coalesced(() => this.read());
  private client: Api | undefined;
  private known: World | undefined;
  private now: State = { at: 'stopped' };

  /** The connection or the world is another one. */
  readonly onDidChange = this.changes.event;
  /** What happened, as it does. */
  readonly onActivity = this.events.event;

  constructor(
    private readonly finder: Finder,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.link = new Link(() => finder.find(), {
      stateChanged: (state) => {
        this.stateChanged(state);
      },
      lived: (api) => {
        this.client = api;
        this.reading.ask();
      },
      happened: (events) => {
        this.events.fire(events);
        this.reading.ask();
      },
    });
  }

  get state(): State {
    return this.now;
  }

  /** What is known; undefined while nothing certain is. */
  get world(): World | undefined {
    return this.now.at === 'live' ? this.known : undefined;
  }

  /** The daemon that is connected. Throws NoDaemon. */
  get api(): Api {
    if (this.client === undefined || this.now.at !== 'live') {
      throw new NoDaemon('Operator is not connected.', 'Start the daemon: operator serve');
    }
    return this.client;
  }

  /** What is known. Throws NoDaemon while nothing certain is. */
  get certain(): World {
    if (this.world === undefined) {
      throw new NoDaemon('Operator is not connected.', 'Start the daemon: operator serve');
    }
    return this.world;
  }

  connect(): void {
    this.link.begin();
  }

  /** Reads everything anew, soon. */
  refresh(): void {
    this.reading.ask();
  }

  dispose(): void {
    this.link.stop();
    this.changes.dispose();
    this.events.dispose();
  }

  private stateChanged(state: State): void {
    this.now = state;
    if (state.at === 'refused') {
      this.finder.forget();
    }
    if (state.at === 'waiting' || state.at === 'refused') {
      this.log.debug(`${state.at}: ${state.why}`);
    }
    const word = state.at === 'waiting' ? (state.absent ? 'absent' : 'broken') : state.at;
    if (word !== 'seeking' && word !== 'opening') {
      void vscode.commands.executeCommand('setContext', 'operator.connection', word);
    }
    this.changes.fire();
  }

  private async read(): Promise<void> {
    const api = this.client;
    if (api === undefined || this.now.at !== 'live') {
      return;
    }
    try {
      this.known = await readWorld(api);
      void vscode.commands.executeCommand('setContext', 'operator.paused', this.known.status.paused);
      this.changes.fire();
      await pause(PAUSE);
    } catch (error) {
      this.log.warn(`not read: ${told(error)}`);
      await pause(AGAIN);
      this.reading.ask();
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
