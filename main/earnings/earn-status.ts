import type { EarnState, EarnStatus } from '../../preload/api/earn.ts'
import type { Prices } from '../../preload/api/electricity.ts'
import type { Words } from '../base/failure.ts'
import type { EngineState } from '../inference/engine.ts'
import { type LimitPause, pausedByLimits } from './pause-words.ts'

/** What the roles tell about this worker, composed by the core. */
export interface EarnRole {
  /** Chain of the open network: what the coins are. */
  readonly network: EarnState['network']
  readonly engine: EngineState
  /** The engine of another program that serves; left out: this app's engine does. `isLooking`: nobody has looked for it yet. */
  readonly servedBy?: { readonly name: string; readonly isLooking: boolean }
  /**
   * `starting`: on the way to the first connection. `connected`: at least one proxy gives work. `lost`: a connection was there and is being made
   * again; `reason` may say why. `failed`: serving cannot work until something is done.
   */
  readonly link: {
    readonly status: 'starting' | 'connected' | 'lost' | 'failed'
    readonly reason?: string
    readonly reasonWords?: Words | undefined
    readonly sinceMs?: number
  }
  /** By the user. */
  readonly paused: boolean
  /** By the limits; left out: nothing holds. */
  readonly pause?: LimitPause
  /** What the owner says of prices; left out: nothing. */
  readonly prices?: Prices | undefined
  /** Requests that are being answered now. */
  readonly running: number
  /** User-friendly address that receives payouts. */
  readonly ownerAddress?: string
  /** nanoton per adjusted token, from the root contract. */
  readonly workerFeePerToken?: bigint
  /** What "Settle now" is expected to cost the node wallet, in nanoton. */
  readonly settleFeeEstimate: bigint
  /** While the disk finds no room for what the app has to keep. */
  readonly diskFull?: { readonly folder: string; readonly sinceMs: number }
}

export interface StatusText {
  readonly status: EarnStatus
  readonly title: string
  readonly line: string
  readonly tile: string
  /** Of the line, for other languages, where it holds a reason. */
  readonly lineWords?: Words
  /** Of the title, where the status alone does not tell it. */
  readonly titleWords?: Words
  readonly pause?: EarnState['pause']
}

/** A request in the last minute still counts as earning (ui.md §2). */
const recentMs = 60_000

/** First match of the table in ui.md §5.2, with the words of the local network (§13.2). */
export function earnStatus(role: EarnRole, lastActiveMs: number | undefined, nowMs: number): StatusText {
  const { engine, link } = role
  if (role.diskFull !== undefined) return diskIsFull(role.diskFull.folder)
  if (engine.status === 'failed') return error('The engine stopped', engine.reason, engine.words)
  if (link.status === 'failed') return error('Earning stopped', link.reason ?? 'The network does not work.', link.reasonWords)
  if (engine.status === 'no-model')
    return {
      status: 'not-set-up',
      tile: 'Not earning',
      title: 'Earning is off',
      line: 'No model is loaded. Choose one under Models.',
    }
  if (role.paused)
    return {
      status: 'paused',
      tile: 'Paused',
      title: 'Paused by you',
      line:
        role.running > 0
          ? `${requests(role.running)} still running, nothing new is taken.`
          : 'Running requests were finished first.',
    }
  if (role.pause !== undefined && role.pause.reasons.length > 0)
    return pausedByLimits({ ...role.pause, servedBy: role.servedBy?.name }, nowMs)
  if (role.servedBy !== undefined && engine.status === 'restarting') return engineAway(role.servedBy, engine)
  if (link.status === 'lost')
    return {
      status: 'offline',
      tile: 'Stopped',
      title: 'The connection to the proxy is lost',
      line: ['Earning goes on when the connection is back.', link.reason].filter(Boolean).join(' '),
      ...lineWords(link.reasonWords),
    }
  if (engine.status === 'asleep' && engine.why === 'yielded') return yielded
  if ((engine.status !== 'ready' && engine.status !== 'asleep') || link.status === 'starting') return starting(role)
  const { servedBy } = role
  const device = engine.status === 'ready' ? (engine.backend.toLowerCase() === 'cpu' ? 'CPU' : 'GPU') : undefined
  const serving = servedBy
    ? `Serving with ${servedBy.name}, test coins.`
    : device === undefined
      ? 'The next request loads the model, test coins.'
      : `Serving on the ${device}, test coins.`
  if (role.running > 0 || (lastActiveMs !== undefined && nowMs - lastActiveMs < recentMs))
    return { status: 'earning', tile: 'Earning', title: 'Earning', line: `${serving} ${capital(requests(role.running))} now.` }
  const online = link.sinceMs === undefined ? '' : ` Online for ${duration(nowMs - link.sinceMs)}, no request in the last minute.`
  return { status: 'waiting', tile: 'Waiting', title: 'Ready, waiting for requests', line: `${serving}${online}` }
}

/** An engine of another program that is not there, or does not list its model. The worker looks for it by itself. */
function engineAway(
  { name, isLooking }: NonNullable<EarnRole['servedBy']>,
  state: { reason: string; words?: Words | undefined },
): StatusText {
  if (isLooking)
    return {
      status: 'starting',
      tile: 'Waiting',
      title: 'Starting, looking for the engine',
      line: state.reason,
      ...lineWords(state.words),
    }
  return {
    status: 'offline',
    tile: 'Stopped',
    title: `${name} cannot be used`,
    titleWords: { code: 'serving-engine-away', values: { name } },
    line: `Earning goes on when it is back. ${state.reason}`,
    ...lineWords(state.words),
  }
}

/** Earning goes on by itself when the other program has ended. */
const yielded: StatusText = {
  status: 'starting',
  tile: 'Waiting',
  title: 'Waiting for another program to end',
  line: 'Another program was given the memory of the model. Try again when it has ended.',
  lineWords: { code: 'engine-yielded' },
}

/** Before everything else: whatever shows besides follows from it, and goes when there is room. */
function diskIsFull(folder: string): StatusText {
  return error(
    'The disk is full',
    `Free some space where ${folder} lies: the app goes on by itself. Until then no new request of the network is taken. Nothing that was signed is lost, and what was just answered is counted as soon as there is room.`,
    undefined,
  )
}

function error(title: string, reason: string, words: Words | undefined): StatusText {
  return { status: 'error', tile: 'Stopped', title, line: reason, ...lineWords(words) }
}

function lineWords(words: Words | undefined): Pick<StatusText, 'lineWords'> {
  return words === undefined ? {} : { lineWords: words }
}

function starting({ engine, link }: EarnRole): StatusText {
  const common = { status: 'starting', tile: 'Waiting' } as const
  if (engine.status === 'loading')
    return {
      ...common,
      title: `Starting, loading ${engine.model}`,
      line: `${Math.floor(engine.progress * 100)}% loaded.`,
      ...lineWords({ code: 'model-loading', values: { model: engine.model, percent: Math.floor(engine.progress * 100) } }),
    }
  if (engine.status === 'restarting')
    return { ...common, title: 'Starting the engine again', line: engine.reason, ...lineWords(engine.words) }
  return {
    ...common,
    title: 'Starting, connecting to the proxy',
    line: link.reason ?? 'The model is loaded.',
    ...lineWords(link.reason === undefined ? { code: 'worker-connecting' } : link.reasonWords),
  }
}

function requests(count: number): string {
  return count === 0 ? 'no request' : count === 1 ? '1 request' : `${count} requests`
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** "6 s", "2 min", "6 h 12 min" (ui.md §9). */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
