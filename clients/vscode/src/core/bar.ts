import { never } from './errors';
import type { State } from './reconnect';
import type { World } from './world';

/** What the status bar says. */
export interface Bar {
  readonly text: string;
  readonly tooltip: string;
  readonly tone: 'plain' | 'warning';
}

/** `world` is what was known last; it is shown only while it is still true. */
export function bar(state: State, world: World | undefined): Bar {
  switch (state.at) {
    case 'live':
      return world === undefined ? { text: '$(sync~spin) Operator', tooltip: 'Reading', tone: 'plain' } : live(world);
    case 'seeking':
    case 'opening':
      return { text: '$(sync~spin) Operator', tooltip: 'Connecting to the daemon', tone: 'plain' };
    case 'waiting':
      return { text: '$(debug-disconnect) Operator', tooltip: state.why, tone: 'plain' };
    case 'refused':
      return { text: '$(lock) Operator', tooltip: state.why, tone: 'warning' };
    case 'stopped':
      return { text: '$(debug-disconnect) Operator', tooltip: 'Not connected', tone: 'plain' };
    default:
      return never(state);
  }
}

function live(world: World): Bar {
  const { status } = world;
  const needs = world.kanban.awaiting.length;
  const counts = `${world.kanban.running.length} ▸ ${needs} ◆`;
  const lines = [
    `Operator ${status.version}`,
    `${world.kanban.running.length} running, ${status.agents} of ${status.max_agents} slots in use`,
    `${needs} waiting for you`,
    `${status.counts.queued} queued, ${status.counts.parked} parked`,
    ...status.warnings,
  ];
  if (status.paused) {
    const why = status.pause_reason === null ? 'Paused' : `Paused: ${status.pause_reason}`;
    return { text: `$(debug-pause) Operator paused ${counts}`, tooltip: [why, ...lines].join('\n'), tone: 'warning' };
  }
  return { text: `$(server-process) Operator ${counts}`, tooltip: lines.join('\n'), tone: 'plain' };
}
