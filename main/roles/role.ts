import { pause } from '../base/pause.ts'

/** One role at work: a client, worker or proxy that an operator runs by the command line. */
export interface Role {
  /** What an operator wants to read when it runs, one fact a line. */
  readonly facts: readonly string[]
  /**
   * Takes no new requests, lets those that run end for at most `limitMs`, then ends everything in order.
   * Resolves with the number of requests that were cut off.
   */
  stop(limitMs: number): Promise<number>
}

const lookMs = 25

/** Waits until nothing runs, at most `limitMs`; returns what still runs then. */
export async function drained(running: () => number, limitMs: number): Promise<number> {
  const until = performance.now() + limitMs
  while (running() > 0 && performance.now() < until) await pause(lookMs)
  return running()
}
