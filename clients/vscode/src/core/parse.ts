import { BadAnswer } from './errors';
import { SHAPES, type Records, type Shape } from '../protocol';

const UNEQUAL = 'Daemon and extension may be of different versions: update the older one.';

/** A record from the wire. Fields that are not known are let through unseen. Throws BadAnswer. */
export function parse<K extends keyof Records>(kind: K, value: unknown): Records[K] {
  const wrong = problem({ record: kind }, value, kind);
  if (wrong !== undefined) {
    throw new BadAnswer(`The daemon's answer cannot be understood: ${wrong}.`, UNEQUAL);
  }
  return value as Records[K];
}

function problem(shape: Shape, value: unknown, where: string): string | undefined {
  if (typeof shape === 'string') {
    const fits = shape === 'null' ? value === null : typeof value === shape;
    return fits ? undefined : `${where} is no ${shape}`;
  }
  if ('any' in shape) {
    const found = shape.any.map((each) => problem(each, value, where));
    return found.includes(undefined) ? undefined : found[0];
  }
  if ('list' in shape) {
    return Array.isArray(value) ? first(value.entries(), shape.list, where) : `${where} is no list`;
  }
  if (!isTable(value)) {
    return `${where} is no table`;
  }
  if ('map' in shape) {
    return first(Object.entries(value), shape.map, where);
  }
  for (const [name, inner] of Object.entries(SHAPES[shape.record])) {
    const wrong = problem(inner, value[name], `${where}.${name}`);
    if (wrong !== undefined) {
      return wrong;
    }
  }
  return undefined;
}

function first(entries: Iterable<[string | number, unknown]>, shape: Shape, where: string): string | undefined {
  for (const [key, value] of entries) {
    const wrong = problem(shape, value, `${where}[${key}]`);
    if (wrong !== undefined) {
      return wrong;
    }
  }
  return undefined;
}

/** Whether it is what JSON calls an object. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
