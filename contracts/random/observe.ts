import { dataCell } from './account.ts'
import type { Model } from './judge.ts'
import type { Step } from './ledger.ts'

/**
 * What a contract became, read from the chain instead of foretold: with this alone the books must notice whoever gets what is
 * not theirs. Root and node wallets hold nobody else's money and are not read.
 */
export function observe(before: Model, step: Step): { readonly next: Model; readonly done: boolean } {
  const done = step.success && step.out.some((message) => !message.bounced)
  if (step.after.status !== 'active') return { next: before, done }
  const slice = dataCell(step.after).beginParse()
  switch (before.kind) {
    case 'client': {
      const state = slice.loadUint(2)
      const balance = slice.loadCoins()
      const stake = slice.loadCoins()
      const used = slice.loadUintBig(64)
      const unlock = slice.loadUint(32)
      return { next: { ...before, state, balance, stake, used, unlock, secret: slice.loadUintBig(256) }, done }
    }
    case 'worker': {
      slice.skip(267 + 267 + 256)
      const state = slice.loadUint(2)
      return { next: { ...before, state, tokens: slice.loadUintBig(64) }, done }
    }
    case 'proxy': {
      slice.skip(267 + 256 + 267)
      const state = slice.loadUint(2)
      const balance = slice.loadCoins()
      const stake = slice.loadCoins()
      return { next: { ...before, state, balance, stake, unlock: slice.loadUint(32) }, done }
    }
    default:
      return { next: before, done }
  }
}
