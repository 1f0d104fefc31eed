import { describe, expect, it } from 'vitest'
import { proxyInit } from '../../../contracts/proxy.ts'
import { publicKeyOfSeed } from '../../../contracts/signed.ts'
import { workerInit } from '../../../contracts/worker.ts'
import { scriptedNetwork, signedPayment } from '../testing/scripted-network.ts'
import { paymentChecker } from './signed-payment.ts'

const { root, owner, proxyKey } = scriptedNetwork
const proxy = proxyInit({ owner, publicKey: proxyKey, root: root.address, params: root.params }).address
const contract = workerInit({ owner, proxy, publicKey: proxyKey, params: root.params }).address
const payment = (tokens: bigint, key?: Uint8Array) =>
  signedPayment({ kind: 'worker-payout', queryId: tokens, contract, tokens }, key)

describe('a checker of payments', () => {
  it('takes the same payment again, a larger one, and never a changed one', () => {
    const check = paymentChecker({ kind: 'worker-payout', contract, publicKey: proxyKey })
    const first = payment(5n)
    expect(check(first)).toMatchObject({ state: 'good', tokens: 5n })
    expect(check({ ...first })).toMatchObject({ state: 'good', tokens: 5n })
    expect(check(payment(9n))).toMatchObject({ state: 'good', tokens: 9n })
    if (first['@type'] !== 'proxy.signedPayment') throw new Error('the golden payment is signed')
    for (let at = 0; at < first.data.length; at++) {
      const data = Uint8Array.from(first.data)
      data[at] = (data[at] ?? 0) ^ 1
      // The receiver of the surplus is the one part that nobody signs.
      const result = check({ '@type': 'proxy.signedPayment', data })
      if (result.state === 'good') expect(result.tokens).toBe(5n)
    }
    const foreign = new Uint8Array(32).fill(3)
    expect(check(payment(9n, foreign))).toMatchObject({ state: 'refused', reason: 'signature' })
    expect(paymentChecker({ kind: 'worker-payout', contract, publicKey: publicKeyOfSeed(foreign) })(first)).toMatchObject({
      state: 'refused',
    })
    expect(check({ '@type': 'proxy.signedPaymentEmpty' })).toEqual({ state: 'empty' })
  })
})
