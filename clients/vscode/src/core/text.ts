/** Texts as a person reads them. */

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/g;

/** Text of others on one line, that VS Code makes neither links nor icons of. */
export function plain(text: string, limit = 200): string {
  const line = text.replace(CONTROL, ' ').replace(/\$\(/g, '$ (').replace(/\]\(/g, '] (').trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** Seconds as `20 s`, `4 min`, `2 h`, `3 d`. */
export function human(seconds: number): string {
  const left = Math.max(0, Math.round(seconds));
  if (left < 60) {
    return `${left} s`;
  }
  if (left < 3600) {
    return `${Math.round(left / 60)} min`;
  }
  if (left < 36 * 3600) {
    return `${Math.round(left / 3600)} h`;
  }
  return `${Math.round(left / 86400)} d`;
}

/** How long ago it was. */
export function since(at: string, now: number): string {
  const passed = (now - Date.parse(at)) / 1000;
  return Number.isFinite(passed) ? human(passed) : '?';
}

/** How long it is until then. */
export function until(at: string, now: number): string {
  const left = (Date.parse(at) - now) / 1000;
  return left <= 1 ? 'now' : `in ${human(left)}`;
}

/** The words that say something, with dots between them. */
export function joined(...parts: readonly (string | null | undefined)[]): string {
  return parts.filter((each) => each !== null && each !== undefined && each !== '').join(' · ');
}
