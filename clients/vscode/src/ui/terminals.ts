import * as vscode from 'vscode';
import { NoDaemon, OperatorError } from '../core/errors';
import { typeIcon } from '../core/looks';
import { isLive } from '../core/rows';
import { arrived, kept, type Saved } from '../core/terminals';
import type { World } from '../core/world';
import type { AgentView } from '../protocol';
import type { Hub } from './hub';
import { AgentTerminal } from './pseudoterminal';

const SAVED = 'terminals';
/** The backend whose sessions are shown by way of the daemon; any other's has a program that attaches to it. */
const HOSTED = 'vscode';
/** Milliseconds after a reload until VS Code has brought back what it will bring back. */
const REVIVAL = 8_000;

/** Why a terminal is gone that is not to come back: its program ended, or somebody closed it. */
const OVER: ReadonlySet<vscode.TerminalExitReason> = new Set([
  vscode.TerminalExitReason.Process,
  vscode.TerminalExitReason.User,
]);

/** Terminals at agents' sessions. They are only shown here: closing one ends no agent, and it can be opened again. */
export class Terminals implements vscode.Disposable {
  private readonly open = new Map<string, vscode.Terminal>();
  private readonly saved: Saved[];
  private readonly parts: vscode.Disposable;
  private before: World | undefined;
  private restoring = false;

  constructor(
    private readonly hub: Hub,
    private readonly state: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.saved = kept(state.get(SAVED));
    this.parts = vscode.Disposable.from(
      vscode.window.onDidCloseTerminal((terminal) => this.closed(terminal)),
      hub.onDidChange(() => this.look()),
    );
  }

  dispose(): void {
    this.parts.dispose();
  }

  /** Shows the terminal of an agent, opening it if need be. */
  async focus(agent: string, preserveFocus = false): Promise<void> {
    const found = this.open.get(agent) ?? (await this.create(agent, column(), preserveFocus));
    found.show(preserveFocus);
  }

  private look(): void {
    const { world } = this.hub;
    if (world === undefined) {
      return;
    }
    if (!this.restoring) {
      this.restoring = true;
      void this.restore(world);
    }
    const how = vscode.workspace.getConfiguration('operator').get<string>('terminals.openOnLaunch', 'never');
    const fresh = this.before === undefined ? [] : arrived(this.before.agents, world.agents);
    this.before = world;
    if (how !== 'never' && vscode.window.state.focused) {
      for (const agent of fresh) {
        void this.focus(agent, how !== 'focus').catch((error: unknown) => {
          this.log.warn(`no terminal for ${agent}: ${String(error)}`);
        });
      }
    }
  }

  /** VS Code brings back what a program of its own shows, which is taken on as it is; the rest is opened anew. */
  private async restore(world: World): Promise<void> {
    const wanted = this.saved.splice(0);
    const living = wanted.filter((each) => isLive(world.agents.get(each.agent)) && !this.open.has(each.agent));
    for (const each of living) {
      const old = await revived(each.pid);
      try {
        if (old !== undefined) {
          this.open.set(each.agent, old);
          this.saved.push(each);
        } else {
          await this.reopen(each);
        }
      } catch (error) {
        this.log.warn(`no terminal for ${each.agent}: ${String(error)}`);
      }
    }
    await this.save();
  }

  private async reopen(saved: Saved): Promise<void> {
    const made = await this.create(saved.agent, saved.column, true);
    if (saved.column === undefined) {
      made.show(true);
    }
  }

  private async create(agent: string, where: number | undefined, preserveFocus: boolean): Promise<vscode.Terminal> {
    const { api, world } = this.hub;
    if (world === undefined) {
      throw new NoDaemon('Operator is not connected.');
    }
    const view = await api.agent(agent);
    const shown = view.backend === HOSTED ? [] : (await api.attach(agent)).argv;
    const there = this.open.get(agent);
    if (there !== undefined) {
      return there; // somebody was faster while we asked
    }
    const looks = { ...looksOf(view, world), location: location(where, preserveFocus) };
    const made =
      view.backend === HOSTED
        ? vscode.window.createTerminal({ ...looks, pty: new AgentTerminal(this.hub, agent, view.ticket_id) })
        : vscode.window.createTerminal({ ...looks, ...attached(view, shown) });
    this.open.set(agent, made);
    const pid = view.backend === HOSTED ? 0 : await made.processId;
    if (this.open.get(agent) === made) {
      const place = where === undefined ? {} : { column: columnOf(view.ticket_id) ?? where };
      this.saved.push({ agent, pid: pid ?? 0, ...place });
      await this.save();
    }
    return made;
  }

  private closed(terminal: vscode.Terminal): void {
    const agent = [...this.open].find(([, each]) => each === terminal)?.[0];
    if (agent === undefined) {
      return;
    }
    this.open.delete(agent);
    if (!OVER.has(terminal.exitStatus?.reason ?? vscode.TerminalExitReason.Unknown)) {
      return; // the window goes, and the terminal is to be there again in the next one
    }
    const index = this.saved.findIndex((each) => each.agent === agent);
    if (index >= 0) {
      this.saved.splice(index, 1);
    }
    void this.save();
  }

  private async save(): Promise<void> {
    await this.state.update(SAVED, [...this.saved]);
  }
}

/** Where new ones open: a column of the editor area; undefined: the panel. */
function column(): number | undefined {
  const where = vscode.workspace.getConfiguration('operator').get<string>('terminals.location', 'panel');
  return where === 'editor' ? vscode.ViewColumn.Active : undefined;
}

/** A column by its number; one that cannot be is the active one. */
function viewColumn(number: number): vscode.ViewColumn {
  const { One, Two, Three, Four, Five, Six, Seven, Eight, Nine, Active } = vscode.ViewColumn;
  return [One, Two, Three, Four, Five, Six, Seven, Eight, Nine][number - 1] ?? Active;
}

/** The column that a terminal's editor went to. */
function columnOf(name: string): number | undefined {
  const groups = vscode.window.tabGroups.all;
  return groups.find((group) =>
    group.tabs.some((tab) => tab.input instanceof vscode.TabInputTerminal && tab.label === name),
  )?.viewColumn;
}

type Place = vscode.TerminalLocation | vscode.TerminalEditorLocationOptions;

function location(where: number | undefined, preserveFocus: boolean): Place {
  return where === undefined ? vscode.TerminalLocation.Panel : { viewColumn: viewColumn(where), preserveFocus };
}

type Looks = Pick<vscode.TerminalOptions, 'iconPath' | 'color'> & { name: string };

function looksOf(agent: AgentView, world: World): Looks {
  const { id, color } = typeIcon(agent.ticket_type, world.types);
  const colored = color === undefined ? {} : { color: new vscode.ThemeColor(color) };
  return { name: agent.ticket_id, iconPath: new vscode.ThemeIcon(id), ...colored };
}

/** Runs what attaches to the session. VS Code may itself run in a tmux, which would refuse another one within. */
function attached(agent: AgentView, argv: readonly string[]): vscode.TerminalOptions {
  const [program, ...args] = argv;
  if (program === undefined) {
    throw new OperatorError(`${agent.id} has no session to attach to.`);
  }
  return { shellPath: program, shellArgs: args, env: { TMUX: null, TMUX_PANE: null } };
}

/** The terminal of this process, once VS Code has brought it back; undefined if it does not. */
async function revived(pid: number): Promise<vscode.Terminal | undefined> {
  const matching = async (): Promise<vscode.Terminal | undefined> => {
    const pids = await Promise.all(vscode.window.terminals.map(async (each) => [each, await each.processId] as const));
    return pids.find(([, each]) => each === pid)?.[0];
  };
  if (pid === 0) {
    return undefined;
  }
  const found = await matching();
  if (found !== undefined) {
    return found;
  }
  return new Promise((resolve) => {
    const end = (terminal: vscode.Terminal | undefined): void => {
      clearTimeout(timer);
      listening.dispose();
      resolve(terminal);
    };
    const timer = setTimeout(() => end(undefined), Math.max(0, REVIVAL - performance.now()));
    const listening = vscode.window.onDidOpenTerminal(() => {
      void matching().then((terminal) => {
        if (terminal !== undefined) {
          end(terminal);
        }
      });
    });
  });
}
