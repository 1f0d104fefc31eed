import { Address } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admit, availableTokens, type ClientFunds, clientFunds, unlimitedTokens } from './admission.ts'
import { DecayingWindow } from './average-time.ts'
import { nextClientStage, secretMatches } from './client-handshake.ts'
import { Nonces } from './nonces.ts'
import { Quarantine } from './quarantine.ts'
import { Rate } from './rates.ts'
import { negotiateVersion, ownVersions } from './versions.ts'
import { type Candidate, chooseWorker } from './worker-choice.ts'
import { acceptWorker, compareBalance, nextWorkerStage, type WorkerParams } from './worker-handshake.ts'

const tokens = fc.bigInt({ min: 0n, max: 10n ** 15n })

describe('admission', () => {
  it('knows the worked values of the golden session', () => {
    const funds = clientFunds({ balance: unlimitedTokens * 2n, stake: 1_000_000_000n, used: 0n }, 2n, { reserved: 0n, max: 162n })
    expect(funds.payedTotal).toBe(1_000_000_000_000_000n)
    expect(availableTokens(funds)).toBe(500_000_000n - 162n)
  })

  it('never lets reservations pass what is there', () => {
    fc.assert(
      fc.property(
        tokens,
        tokens,
        tokens,
        fc.nat(2 ** 31 - 1),
        fc.nat(1_000_000),
        fc.nat(10_000),
        (payed, stake, max, most, bytes, coef) => {
          const funds: ClientFunds = { payedTotal: payed, stakeTokens: stake, scUsed: 0n, reserved: 0n, max }
          const desk = { funds, rootVersion: 1, clientClosing: false, proxyEnabled: true }
          const demand = { maxTokens: most, queryBytes: bytes, maxCoefficient: coef, timeoutSeconds: 1, minConfigVersion: 1 }
          let reserved: bigint
          try {
            reserved = admit(demand, desk)
          } catch {
            return
          }
          expect(reserved).toBeGreaterThanOrEqual(0n)
          expect(max + reserved).toBeLessThanOrEqual(payed < stake ? payed : stake)
        },
      ),
    )
  })

  it('answers in the order of the protocol', () => {
    const funds: ClientFunds = { payedTotal: 1000n, stakeTokens: 1000n, scUsed: 0n, reserved: 0n, max: 0n }
    const demand = { maxTokens: 10, queryBytes: 0, maxCoefficient: 1000, timeoutSeconds: 1, minConfigVersion: 1 }
    const desk = { funds, rootVersion: 1, clientClosing: false, proxyEnabled: true }
    expect(admit(demand, desk)).toBe(10n)
    const refusal = (d: Partial<typeof demand>, k: Partial<typeof desk>) => {
      try {
        admit({ ...demand, ...d }, { ...desk, ...k })
      } catch (thrown) {
        return thrown
      }
      return undefined
    }
    expect(refusal({ maxTokens: 1001, minConfigVersion: 2 }, { clientClosing: true })).toMatchObject({ code: 602 })
    expect(refusal({ minConfigVersion: 2 }, { clientClosing: true })).toMatchObject({ code: 602 })
    expect(refusal({}, { clientClosing: true, proxyEnabled: false })).toMatchObject({ code: 651, message: 'client is closing' })
    expect(refusal({}, { proxyEnabled: false })).toMatchObject({ code: 651, message: 'proxy is disabled' })
    expect(refusal({ maxCoefficient: 200_000 }, {})).toMatchObject({ code: 651, message: 'balance is too low' })
  })
})

describe('versions and stages', () => {
  it('takes the smaller maximum within both ranges', () => {
    expect(negotiateVersion({}, ownVersions)).toBe(0)
    expect(negotiateVersion({ min_proto_version: 0, max_proto_version: 9 }, ownVersions)).toBe(4)
    expect(negotiateVersion({ min_proto_version: 1, max_proto_version: 1 }, ownVersions)).toBe(1)
    const recorded = { least: 0, most: 2 }
    expect(negotiateVersion({ min_proto_version: 0, max_proto_version: 9 }, recorded)).toBe(2)
    expect(() => negotiateVersion({ min_proto_version: 3, max_proto_version: 4 }, recorded)).toThrow('common protocol version')
    expect(() => negotiateVersion({ max_proto_version: 1 }, { least: 2, most: 4 })).toThrow('common protocol version')
    for (const [min, max] of [
      [5, 9],
      [2, 1],
      [0, -1],
      [-2, -1],
    ]) {
      expect(() => negotiateVersion({ min_proto_version: min, max_proto_version: max }, ownVersions)).toThrow(
        'common protocol version',
      )
    }
  })

  it('keeps peers to the order of the handshake', () => {
    expect(nextWorkerStage('complete', 'worker.extendedCompareBalanceWithProxy')).toBe('complete')
    expect(nextWorkerStage('complete', 'worker.proxyHandshakeComplete')).toBe('ready')
    expect(() => nextWorkerStage('compare', 'worker.proxyHandshakeComplete')).toThrow('Wrong constructor')
    expect(() => nextWorkerStage('ready', 'worker.connectToProxy')).toThrow('already ready')
    expect(nextClientStage('auth', 'client.authorizeWithProxyLong')).toBe('ready')
    expect(() => nextClientStage('ready', 'client.connectToProxy')).toThrow('already authorized')
  })

  it('answers claims above its own counts with code 1, in every level', () => {
    const own = { chain: 5n, db: 6n, max: 7n }
    const claim = { tokens_committed_to_blockchain: 5n, tokens_committed_to_db: 6n, max_tokens: 7n }
    expect(compareBalance(claim, own)).toBe(0)
    expect(compareBalance({ ...claim, max_tokens: 8n }, own)).toBe(1)
    expect(compareBalance({ ...claim, tokens_committed_to_db: 7n }, own)).toBe(1)
    expect(compareBalance({ ...claim, tokens_committed_to_blockchain: 6n }, own)).toBe(1)
  })

  it('checks hashes where it must', () => {
    const params: WorkerParams = {
      flags: 3,
      worker_owner_address: `0:${'00'.repeat(32)}`,
      model: 'm@1:2',
      coefficient: 0,
      is_test: false,
      proxy_cnt: 3,
      max_active_requests: 7,
      min_proto_version: 1,
      max_proto_version: 2,
    }
    const rules = {
      isTest: false,
      checkImageHash: () => true,
      checkModel: (m: string) => m === 'm@1:2',
      parseAddress: (text: string) => Address.parse(text),
      versions: ownVersions,
    }
    expect(acceptWorker(params, new Uint8Array(32), rules)).toMatchObject({ baseModel: 'm', limit: 3, version: 2 })
    expect(() => acceptWorker(params, new Uint8Array(32), { ...rules, checkImageHash: () => false })).toThrow('image hash')
    expect(() => acceptWorker(params, new Uint8Array(32), { ...rules, checkModel: () => false })).toThrow('model')
  })

  it('compares secrets by their hash', () => {
    const empty = Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex')
    expect(secretMatches(new Uint8Array(), empty)).toBe(true)
    expect(secretMatches(new Uint8Array([1]), empty)).toBe(false)
    expect(secretMatches(new Uint8Array(), empty.subarray(1))).toBe(false)
  })
})

describe('choice of a worker', () => {
  const seat = (change: Partial<Candidate>): Candidate => ({
    enabled: true,
    running: 0,
    limit: 5,
    coefficient: 1000,
    meanMs: 1000,
    lastPick: 0,
    quarantined: 'no',
    ...change,
  })

  it('takes the soonest, then the cheapest, then the one that waited longest', () => {
    const busy = seat({ running: 4, coefficient: 1 })
    const dear = seat({ coefficient: 2000 })
    const first = seat({ lastPick: 7 })
    const second = seat({ lastPick: 3 })
    expect(chooseWorker([busy, dear, first, second], 'm', 4000)).toBe(second)
    expect(chooseWorker([busy, dear], 'm', 4000)).toBe(dear)
    expect(chooseWorker([seat({ meanMs: 9000 }), dear], 'm', 4000)).toBe(dear)
  })

  it('uses failing workers last and offenders never', () => {
    const shaky = seat({ quarantined: 'last-resort' })
    expect(chooseWorker([shaky, seat({ meanMs: 60_000 })], 'm', 4000)).not.toBe(shaky)
    expect(chooseWorker([shaky], 'm', 4000)).toBe(shaky)
    expect(() => chooseWorker([seat({ quarantined: 'yes' })], 'm', 4000)).toThrow('no ready workers')
    expect(() => chooseWorker([seat({ coefficient: 700 })], 'm', 100)).toThrow('can run this query with coefficient=700')
  })
})

describe('quarantine', () => {
  it('grows with each violation and outlives success', () => {
    const q = new Quarantine()
    q.report('w', 'violation', 0)
    expect([q.state('w', 9_999), q.state('w', 10_000)]).toEqual(['yes', 'no'])
    q.succeed('w')
    q.report('w', 'violation', 20_000)
    expect([q.state('w', 39_999), q.state('w', 40_000)]).toEqual(['yes', 'no'])
  })

  it('forgives two failures and a row that a success ends', () => {
    const q = new Quarantine()
    q.report('w', 'failure', 0)
    q.report('w', 'failure', 0)
    expect(q.state('w', 1)).toBe('no')
    q.report('w', 'failure', 0)
    expect([q.state('w', 1999), q.state('w', 2000)]).toEqual(['last-resort', 'no'])
    q.report('w', 'failure', 0)
    expect(q.state('w', 3999)).toBe('last-resort')
    q.succeed('w')
    expect(q.state('w', 1)).toBe('no')
    q.report('x', 'violation', 0)
    q.forgetOld(90_000_000)
    q.report('x', 'violation', 90_000_000)
    expect(q.state('x', 90_010_000)).toBe('no')
  })
})

describe('small measures', () => {
  it('forgets old durations', () => {
    const window = new DecayingWindow(0)
    expect(window.mean(0)).toBeUndefined()
    window.add(1000, 0)
    window.add(3000, 0)
    expect(window.mean(0)).toBe(2000)
    window.add(10_000, 3_600_000)
    expect(window.mean(3_600_000)).toBeGreaterThan(9_900)
    expect(window.mean(36_000_000)).toBeUndefined()
    const rate = new Rate(0)
    rate.add(10, 0)
    expect(rate.values(0).slice(0, 3)).toEqual([10, 10, 1])
    expect(rate.values(60_000)[1]).toBeLessThan(1e-9)
  })

  it('ties a nonce to its owner and its connection', async () => {
    const [a, b] = [Address.parseRaw(`0:${'11'.repeat(32)}`), Address.parseRaw(`0:${'22'.repeat(32)}`)]
    const nonces = new Nonces()
    const early = nonces.issue(a)
    nonces.registered(early, a)
    await nonces.wait(early)
    const late = nonces.issue(a)
    nonces.registered(late, b)
    const state = await Promise.race([nonces.wait(late).then(() => 'seen'), new Promise((r) => setTimeout(() => r('open'), 20))])
    expect(state).toBe('open')
    const waiting = expect(nonces.wait(late)).rejects.toThrow('over')
    nonces.forget(late)
    await waiting
    await expect(nonces.wait(late)).rejects.toThrow('over')
  })
})
