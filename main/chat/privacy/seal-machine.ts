import type { PrivacyLevel } from '../../../preload/api/chat.ts'
import type { CheckReport, SealState, Sentence } from '../../../preload/api/privacy.ts'
import type { Findings } from './checker.ts'
import { objection } from './judge.ts'

/** A check older than this is aging (ui.md §3.3). */
export const freshMs = 600_000

/**
 * The seal of one level as a value (ui.md §3.3): idle → checking → earned → aging → checking, checking → failed, earned → failed. Its level never
 * changes: which level a turn uses is the user's choice alone, and no failure here can make it another one.
 */
export interface SealMachine {
  readonly level: PrivacyLevel
  readonly state: SealState
  /** The connection that there is now; null without one. */
  readonly connection: string | null
  /** Number of the newest check; findings of any other are ignored. */
  readonly run: number
  /** Wishes to send that wait for the check. */
  readonly wishes: readonly number[]
}

export type SealEvent =
  /** The connection that the next turn would use: a new one, or none. */
  | { readonly type: 'connection'; readonly connection: string | null }
  /** The user picked the level, came back to the app, or pressed "Check again". */
  | { readonly type: 'picked' | 'focused' | 'again'; readonly nowMs: number }
  /** Time went by. */
  | { readonly type: 'tick'; readonly nowMs: number }
  | { readonly type: 'wish'; readonly wish: number; readonly nowMs: number }
  | { readonly type: 'withdrawn'; readonly wish: number }
  | { readonly type: 'found'; readonly run: number; readonly findings: Findings; readonly nowMs: number }
  | { readonly type: 'broken'; readonly run: number; readonly reason: Sentence }

export type SealEffect =
  /** Begin this check; every older one is to be given up. */
  | { readonly type: 'check'; readonly run: number; readonly connection: string }
  /** Give up whatever check is under way. */
  | { readonly type: 'abandon' }
  /** The wish may be sent, over this connection and no other. */
  | { readonly type: 'permit'; readonly wish: number; readonly connection: string }
  | { readonly type: 'refuse'; readonly wish: number; readonly because: Refusal }

export type Refusal = { readonly kind: 'no-connection' } | { readonly kind: 'not-verified'; readonly reason: Sentence }

export interface Step {
  readonly machine: SealMachine
  readonly effects: readonly SealEffect[]
}

export const newSeal = (level: PrivacyLevel): SealMachine => ({
  level,
  state: { phase: 'idle' },
  connection: null,
  run: 0,
  wishes: [],
})

/** What the machine is after an event, and what has to be done. */
export function step(machine: SealMachine, event: SealEvent): Step {
  switch (event.type) {
    case 'connection':
      return connected(machine, event.connection)
    case 'again':
      return machine.connection === null ? stay(machine) : begin(machine, machine.connection)
    case 'picked':
    case 'focused':
      return looked(aged(machine, event.nowMs), event.type === 'picked')
    case 'tick':
      return stay(aged(machine, event.nowMs))
    case 'wish':
      return wished(aged(machine, event.nowMs), event.wish)
    case 'withdrawn':
      return stay({ ...machine, wishes: machine.wishes.filter((wish) => wish !== event.wish) })
    case 'found':
      return event.run === machine.run && machine.state.phase === 'checking' ? found(machine, event) : stay(machine)
    case 'broken':
      return event.run === machine.run && machine.state.phase === 'checking' ? failed(machine, event.reason) : stay(machine)
  }
}

const stay = (machine: SealMachine): Step => ({ machine, effects: [] })

/** A seal stands for one connection: it falls with it, and a new one is checked anew. */
function connected(machine: SealMachine, connection: string | null): Step {
  if (connection === machine.connection) return stay(machine)
  if (connection !== null) return begin({ ...machine, connection }, connection)
  const abandon: SealEffect[] = machine.state.phase === 'checking' ? [{ type: 'abandon' }] : []
  return {
    machine: { ...machine, connection, state: { phase: 'idle' }, wishes: [] },
    effects: [...abandon, ...refusals(machine, { kind: 'no-connection' })],
  }
}

function begin(machine: SealMachine, connection: string): Step {
  const run = machine.run + 1
  return { machine: { ...machine, run, state: { phase: 'checking' } }, effects: [{ type: 'check', run, connection }] }
}

/** A failed seal is looked at again when its level is picked, not each time that a window comes to the front. */
function looked(machine: SealMachine, picked: boolean): Step {
  const { connection, state } = machine
  const stale = state.phase === 'aging' || (picked && state.phase === 'failed')
  return stale && connection !== null ? begin(machine, connection) : stay(machine)
}

function wished(machine: SealMachine, wish: number): Step {
  const { state, connection } = machine
  const refuse = (because: Refusal): Step => ({ machine, effects: [{ type: 'refuse', wish, because }] })
  if (connection === null) return refuse({ kind: 'no-connection' })
  switch (state.phase) {
    case 'earned':
      return { machine, effects: [{ type: 'permit', wish, connection }] }
    case 'failed':
      return refuse({ kind: 'not-verified', reason: state.reason })
    case 'checking':
      return stay({ ...machine, wishes: [...machine.wishes, wish] })
    case 'idle':
    case 'aging':
      return begin({ ...machine, wishes: [...machine.wishes, wish] }, connection)
  }
}

function found(machine: SealMachine, { findings, nowMs }: { findings: Findings; nowMs: number }): Step {
  const { connection, level, wishes } = machine
  if (connection === null) return stay(machine)
  const report: CheckReport = { connection, checkedAtMs: nowMs, rows: [...findings.rows], evidence: [...findings.evidence] }
  const reason = objection(level, report.rows)
  if (reason !== null) return failed(machine, reason, report)
  return {
    machine: { ...machine, state: { phase: 'earned', report }, wishes: [] },
    effects: wishes.map((wish) => ({ type: 'permit', wish, connection })),
  }
}

function failed(machine: SealMachine, reason: Sentence, report?: CheckReport): Step {
  return {
    machine: { ...machine, state: { phase: 'failed', reason, ...(report && { report }) }, wishes: [] },
    effects: refusals(machine, { kind: 'not-verified', reason }),
  }
}

const refusals = ({ wishes }: SealMachine, because: Refusal): SealEffect[] =>
  wishes.map((wish) => ({ type: 'refuse', wish, because }))

/** A clock that was put back makes a check old too: how old, nobody knows. */
function aged(machine: SealMachine, nowMs: number): SealMachine {
  const { state } = machine
  if (state.phase !== 'earned') return machine
  const ageMs = nowMs - state.report.checkedAtMs
  return ageMs >= 0 && ageMs <= freshMs ? machine : { ...machine, state: { phase: 'aging', report: state.report } }
}
