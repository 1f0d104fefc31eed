import { Address, beginCell, Cell } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { LayoutError } from './cells.ts'
import { parseClientState } from './client.ts'
import { cocoonWalletInit } from './cocoon-wallet.ts'
import { exitCodeSentence, parseMoneyMessage, peekOperation, randomQueryId } from './common.ts'
import { parseParams, storeParams } from './params.ts'
import { parseProxyMessage } from './proxy.ts'
import { parseRootState } from './root.ts'
import { keySigner, parseSigned, publicKeyOfSeed, refuseSigned, repackSigned, signMessage } from './signed.ts'
import { TEST_PARAMS } from './testbed.ts'

const owner = Address.parse('UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m')
const proxySeed = new Uint8Array(Buffer.from('ml+7xELuOQtfp9q9mSWtHiSWx5aSBV6p3xCfwPmHOwY=', 'base64'))
const clientSeed = new Uint8Array(Buffer.from('gaEatwGNgLGOeFI/TRGfPdJG/K4G8picYHQkDHpLQ9w=', 'base64'))

describe('hostile data', () => {
  const signed = signMessage({ kind: 'worker-payout', queryId: 3n, tokens: 9n, contract: owner }, owner, keySigner(proxySeed))

  it('is refused in signed messages', () => {
    expect(() => parseSigned(new Uint8Array([1, 2, 3]))).toThrow(LayoutError)
    expect(() => parseSigned(Cell.EMPTY)).toThrow(LayoutError)
    expect(() => parseSigned(beginCell().storeSlice(signed.beginParse()).storeBit(0).endCell())).toThrow(LayoutError)
    expect(() => parseSigned(beginCell().storeSlice(signed.beginParse()).storeRef(Cell.EMPTY).endCell())).toThrow(LayoutError)
    const rest = signed.beginParse().skip(32)
    expect(() => parseSigned(beginCell().storeUint(0xbb63ff93, 32).storeSlice(rest).endCell())).toThrow(/another operation/)
    const tail = signed.beginParse().skip(96)
    const otherId = beginCell().storeUint(0xa040ad28, 32).storeUint(4, 64).storeSlice(tail).endCell()
    expect(() => parseSigned(otherId)).toThrow(/query id/)
  })

  it('is refused by signature, contract and kind, also after repacking', () => {
    const publicKey = publicKeyOfSeed(proxySeed)
    const message = parseSigned(repackSigned(parseSigned(signed), cocoonWalletInit(publicKey, owner).address))
    const kinds = ['worker-payout'] as const
    expect(refuseSigned(message, { kinds, contract: owner, publicKey })).toBeNull()
    expect(refuseSigned(message, { kinds: ['client-charge'], contract: owner, publicKey })).toBe('kind')
    expect(refuseSigned(message, { kinds, contract: message.excesses, publicKey })).toBe('contract')
    expect(refuseSigned(message, { kinds, contract: owner, publicKey: publicKeyOfSeed(clientSeed) })).toBe('signature')
    const broken = { ...message, signature: message.signature.map((byte, index) => (index === 5 ? byte ^ 1 : byte)) }
    expect(refuseSigned(broken, { kinds, contract: owner, publicKey })).toBe('signature')
  })

  it('is null as a message to the proxy', () => {
    for (const cell of [Cell.EMPTY, signed, beginCell().storeUint(0x65448ff4, 32).endCell()]) {
      expect(parseProxyMessage(cell)).toBeNull()
    }
  })

  it('is a LayoutError as contract data', () => {
    expect(() => parseClientState(Cell.EMPTY)).toThrow(LayoutError)
    expect(() => parseRootState(signed)).toThrow(LayoutError)
    const params = storeParams(TEST_PARAMS, 'plain')
    expect(() => parseParams(beginCell().storeSlice(params.beginParse()).storeBit(1).endCell())).toThrow(LayoutError)
  })
})

it('names exit codes and money messages', () => {
  expect(exitCodeSentence(1000)).toMatch(/Old message/)
  expect(exitCodeSentence(4711)).toBe('The contract stopped with code 4711.')
  expect(parseMoneyMessage(beginCell().storeUint(0xc59a7cd3, 32).storeUint(6, 64).endCell())).toEqual({
    kind: 'payout',
    queryId: 6n,
  })
  expect(parseMoneyMessage(Cell.EMPTY)).toBeNull()
  expect(peekOperation(beginCell().storeUint(1, 32).storeUint(2, 64).endCell())).toEqual({ op: 1, queryId: 2n })
  expect(randomQueryId()).not.toBe(randomQueryId())
})
