/** How states and ticket types look, the same as on Operator's other surfaces. */

import type { TypeView } from '../protocol';

/** A codicon, and the theme colour that it has. */
export interface Icon {
  readonly id: string;
  readonly color: string | undefined;
}

const COLORS: Readonly<Record<string, string>> = {
  black: 'terminal.ansiBlack',
  red: 'terminal.ansiRed',
  green: 'terminal.ansiGreen',
  yellow: 'terminal.ansiYellow',
  blue: 'terminal.ansiBlue',
  magenta: 'terminal.ansiMagenta',
  cyan: 'terminal.ansiCyan',
  white: 'terminal.ansiWhite',
};
const BUILT_IN: Readonly<Record<string, readonly [string, string]>> = {
  FEAT: ['sparkle', 'cyan'],
  FIX: ['wrench', 'red'],
  TASK: ['tasklist', 'green'],
  SPIKE: ['beaker', 'magenta'],
  INV: ['search', 'yellow'],
};
const NAME = /^[a-z][a-z0-9-]{0,40}$/;

/** A ticket type's icon: what the daemon says, else what the type always had. */
export function typeIcon(name: string, types: ReadonlyMap<string, TypeView>): Icon {
  const known = types.get(name);
  const [icon, color] = known === undefined ? (BUILT_IN[name] ?? ['circle-outline', '']) : [known.icon, known.color];
  return { id: NAME.test(icon) ? icon : 'circle-outline', color: COLORS[color] };
}

const MARKS: Readonly<Record<string, string>> = {
  queued: '◌',
  parked: '‖',
  launching: '◔',
  starting: '◔',
  running: '●',
  idle: '○',
  asking: '◆',
  awaiting: '◆',
  awaiting_input: '◆',
  awaiting_review: '◈',
  done: '✓',
  failed: '✗',
  cancelled: '✗',
  lost: '?',
};

/** A state's mark; an unknown one is a word, too. */
export function mark(state: string): string {
  return MARKS[state] ?? '?';
}
