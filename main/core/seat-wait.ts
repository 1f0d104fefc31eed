import { Failure } from '../base/failure.ts'
import { pause } from '../base/pause.ts'
import type { Client } from '../client/client.ts'
import { PeerWords } from '../client/query-failure.ts'

/** An engine that was killed is back within seconds; nobody should wait much longer without being told why. */
export const comeBackMs = 20_000
const askEveryMs = 150

/**
 * Whether a question that failed before its answer began failed only because no worker takes questions at this moment: the engine starts
 * again, or the worker is on its way back to the proxy. Such a question cost nothing and may be sent again (protocol 30 §7.3).
 */
export function mayComeBack(thrown: unknown): boolean {
  if (!(thrown instanceof Failure)) return false
  switch (thrown.code) {
    case 'no-worker':
    case 'worker-gone':
    case 'unknown-model':
    case 'engine-not-ready':
      return true
    case 'proxy-not-ready':
      // What a worker or the loss of one was the reason for; a proxy that is disabled stays so.
      return thrown.cause instanceof PeerWords && /^worker: |^the worker (was lost|is still taking in)/.test(thrown.cause.message)
    default:
      return false
  }
}

/**
 * Waits until the proxy lists a worker that takes questions for `model`; at least a moment, so that asking again cannot spin. False when
 * `until` (by performance.now()) passed, `hopeful` said no, or `signal` aborted. Never rejects.
 */
export async function whenSeated(
  client: Pick<Client, 'models'>,
  model: string,
  options: { readonly until: number; readonly hopeful: () => boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const { until, hopeful, signal } = options
  for (;;) {
    await pause(askEveryMs, signal)
    if (signal.aborted || performance.now() > until || !hopeful()) return false
    try {
      const offers = await client.models()
      if (offers.some((offer) => offer.model === model && offer.workers.length > 0)) return !signal.aborted
    } catch {
      // The connection to the proxy is down too; it is being made again.
    }
  }
}
