/** What went wrong, as a sentence, and what a person can do about it. */
export class OperatorError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(message);
    this.name = new.target.name;
    this.hint = hint;
  }
}

/** Nothing listens where a daemon should be. */
export class NoDaemon extends OperatorError {}

/** The daemon did not answer in time. */
export class TooSlow extends OperatorError {}

/** The answer is none that this extension understands. */
export class BadAnswer extends OperatorError {}

/** The daemon wants another token. */
export class Unauthorized extends OperatorError {}

/** The daemon refused, and says why. */
export class Refused extends OperatorError {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, hint: string) {
    super(message, hint);
    this.status = status;
    this.code = code;
  }
}

/** A failure as one or two sentences. */
export function told(error: unknown): string {
  if (error instanceof OperatorError) {
    return error.hint === '' ? error.message : `${error.message} ${error.hint}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The end of a switch that has a case for everything. */
export function never(value: never): never {
  throw new TypeError(`not expected: ${JSON.stringify(value)}`);
}
