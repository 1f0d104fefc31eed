import type { Address, Cell } from '@ton/core'
import { expect } from 'vitest'
import type { Outcome, Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import type { RowId } from './rows.ts'
import { ask, done, live, misshapen, refused, VALUE } from './stage.ts'

type Step = (bed: Testbed) => Promise<unknown>

/** One operation of a contract; the dangers that are the same for all follow from it. */
export interface Operation {
  readonly row: RowId
  readonly stage: () => Promise<Testbed>
  /** Brings the contract into a state in which the operation works. */
  readonly before?: Step
  readonly to: (bed: Testbed) => Address
  readonly body: (bed: Testbed) => Cell
  /** Who may; left out: anyone. */
  readonly owner?: (bed: Testbed) => Address
  /** nanoton to attach; left out: 0.5 TON */
  readonly value?: bigint
  /** The smallest value that works, nanoton; left out: no rule. */
  readonly least?: bigint
  /** States in which it is refused, with the code. */
  readonly not?: readonly { readonly name: string; readonly when: Step; readonly code: number }[]
  /** Codes of a body that is longer or shorter; left out: 1004 or 9. */
  readonly formatCodes?: readonly number[]
  /** What must be so afterwards. */
  readonly effect: (bed: Testbed, outcome: Outcome, value: bigint) => Promise<void> | void
}

/** It works, and: a stranger, a small value, a wrong state, a bounced copy, a body that is too long or too short. */
export function casesOf(operation: Operation): Case[] {
  const { row, to, body, owner, least } = operation
  const value = operation.value ?? VALUE
  const ready = async (): Promise<Testbed> => {
    const bed = await operation.stage()
    await operation.before?.(bed)
    return bed
  }
  const from = (bed: Testbed) => owner?.(bed) ?? bed.stranger
  const cases: Case[] = [
    accepts(row, 'works', async () => {
      const bed = await ready()
      const outcome = await done(bed, to(bed), body(bed), { from: from(bed), value })
      await operation.effect(bed, outcome, value)
    }),
    accepts(
      row,
      'does nothing as a bounced message',
      async () => {
        const bed = await ready()
        const before = await bed.data(to(bed))
        const outcome = await ask(bed, to(bed), body(bed), { from: from(bed), value, bounced: true })
        expect(outcome.failures).toEqual([])
        expect(outcome.transactions).toHaveLength(1)
        expect((await bed.data(to(bed))).equals(before)).toBe(true)
      },
      'bounced',
    ),
    refuses(
      row,
      'a body that is too long or too short',
      async () => {
        const bed = await ready()
        for (const shape of Object.values(misshapen(body(bed)))) {
          await refused(bed, to(bed), shape, operation.formatCodes ?? [1004, 9], { from: from(bed), value })
        }
      },
      'format',
    ),
  ]
  if (owner !== undefined) {
    const run = async () => {
      const bed = await ready()
      for (const who of ['stranger', 'excesses', 'owner', 'clientOwner', 'workerOwner'] as const) {
        if (!bed[who].equals(owner(bed))) await refused(bed, to(bed), body(bed), 1010, { from: bed[who], value })
      }
    }
    cases.push(refuses(row, 'anyone but the owner', run, 'sender'))
  }
  if (least !== undefined) {
    const low = async () => {
      const bed = await ready()
      await refused(bed, to(bed), body(bed), 1003, { from: from(bed), value: least - 1n })
    }
    const enough = async () => {
      const bed = await ready()
      const outcome = await done(bed, to(bed), body(bed), { from: from(bed), value: least })
      await operation.effect(bed, outcome, least)
    }
    cases.push(refuses(row, 'a nanoton less than it needs', low, 'value'), accepts(row, 'the smallest value', enough, 'value'))
  }
  for (const { name, when, code } of operation.not ?? []) {
    const run = async () => {
      const bed = await ready()
      await when(bed)
      await refused(bed, to(bed), body(bed), code, { from: from(bed), value })
    }
    cases.push(refuses(row, name, run, 'state'))
  }
  return cases
}

/** A signed order at a closed contract, and with the last nanoton that is too little. */
export function signedLimits(
  row: RowId,
  order: {
    readonly to: (bed: Testbed) => Address
    readonly body: (bed: Testbed) => Cell
    readonly close: Step
    /** nanoton; one more is enough */
    readonly tooLittle: bigint
  },
): Case[] {
  const { to, body, close, tooLittle } = order
  return [
    refuses(
      row,
      'a closed contract',
      async () => {
        const bed = await live()
        await close(bed)
        await refused(bed, to(bed), body(bed), 1006)
      },
      'state',
    ),
    refuses(
      row,
      'a nanoton less than it needs',
      async () => {
        const bed = await live()
        await refused(bed, to(bed), body(bed), 1003, { value: tooLittle })
        await done(bed, to(bed), body(bed), { value: tooLittle + 1n })
      },
      'value',
    ),
  ]
}
