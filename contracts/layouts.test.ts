import { Address, beginCell, Cell, Dictionary, toNano } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { hex, LayoutError } from './cells.ts'
import { clientChangeSecret, clientInit, clientRegister, clientTopUp, parseClientState } from './client.ts'
import { cocoonWalletBody, cocoonWalletInit } from './cocoon-wallet.ts'
import { exitCodeSentence, parseMoneyMessage, peekOperation, randomQueryId } from './common.ts'
import { formatEndpoints, parseEndpoints } from './net-address.ts'
import { type Params, parseParams, storeParams } from './params.ts'
import { parseProxyMessage, stateCommitMemo } from './proxy.ts'
import { parseRootState, rootData, rootRequest } from './root.ts'
import { keySigner, parseSigned, publicKeyOfSeed, refuseSigned, repackSigned, signedPayloadCell, signMessage } from './signed.ts'

const owner = Address.parse('UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m')
const proxySeed = new Uint8Array(Buffer.from('ml+7xELuOQtfp9q9mSWtHiSWx5aSBV6p3xCfwPmHOwY=', 'base64'))
const clientSeed = new Uint8Array(Buffer.from('gaEatwGNgLGOeFI/TRGfPdJG/K4G8picYHQkDHpLQ9w=', 'base64'))

/** Protocol 60 §2, the example; without the code, which is not ours. */
const example: Params = {
  structVersion: 3,
  paramsVersion: 1,
  uniqueId: 13,
  isTest: true,
  pricePerToken: 20n,
  workerFeePerToken: 15n,
  multipliers: { prompt: 10_000, cached: 1_000, completion: 80_000, reasoning: 80_000 },
  proxyDelaySec: 600,
  clientDelaySec: 300,
  minProxyStake: toNano('1'),
  minClientStake: toNano('15'),
  codes: { proxy: null, worker: null, client: null },
}

describe('examples of the protocol', () => {
  it('gives the params cell, the wallet and the signed charge', () => {
    expect(storeParams(example, 'plain').hash().toString('hex')).toBe(
      'cd9077a5040834e018396c044f0121e8c74aa8519a69798a3aa72e67f3d435f5',
    )
    const wallet = cocoonWalletInit(publicKeyOfSeed(clientSeed), owner)
    expect(wallet.address.toString()).toBe('EQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-f0Bx')

    const contract = Address.parse('EQA7fCYyyJPck3ibgemPhpnw-3dz_Hy9kHOfhhsYMjZpy422')
    const payload = { kind: 'client-charge', queryId: 7n, tokens: 5020n, contract } as const
    expect(signedPayloadCell(payload).hash().toString('hex')).toBe(
      '20e07b203dcbd55ef220f65142c61a0ef39a24af1a9df22435b6943c1fd87954',
    )
    const body = signMessage(payload, wallet.address, keySigner(proxySeed))
    expect(body.hash().toString('hex')).toBe('b910739d7ffb1594d7b9cbfb1b356293ccd2af2cb5acdfbe11decaa9227b876e')
    expect(hex(parseSigned(body).signature)).toBe(
      '6bbacad1b4ecef752c697d5613b6b17d32560ea61438ea583433cbf8e43f656abd85597a82320131ff98edfa7450c92fac733a234e2664444b427555fcc1df07',
    )
  })
})

describe('builders', () => {
  const envelope = { queryId: 1n, excesses: owner }

  it('refuse what does not fit, by name', () => {
    expect(() => clientTopUp({ ...envelope, queryId: 1n << 64n }, 1n)).toThrow(/queryId/)
    expect(() => clientTopUp(envelope, -1n)).toThrow(/amount/)
    expect(() => clientTopUp(envelope, 1n << 120n)).toThrow(/amount/)
    expect(() => clientRegister(envelope, -1n)).toThrow(/nonce/)
    expect(() => clientChangeSecret(envelope, new Uint8Array(31))).toThrow(/secretHash/)
    expect(() => rootRequest(1n, { op: 'addModelHash', hash: new Uint8Array(33) })).toThrow(/hash/)
    expect(() => rootRequest(1n, { op: 'unregisterProxy', seqno: 1.5 })).toThrow(/seqno/)
    expect(() => stateCommitMemo({ queryId: 1n, seqno: 2 ** 31, sessionHash: new Uint8Array(32) })).toThrow(/seqno/)
    expect(() => cocoonWalletBody({ seqno: 0, validUntilSec: 1, transfers: [] }, keySigner(clientSeed))).toThrow(/transfers/)
    expect(() => keySigner(new Uint8Array(16))).toThrow(/secret key/)
    expect(() => storeParams({ ...example, structVersion: 6 }, 'plain')).toThrow(/structVersion/)
    expect(() => storeParams({ ...example, uniqueId: -1 }, 'plain')).toThrow(/uniqueId/)
    expect(() => storeParams({ ...example, structVersion: 1 }, 'plain')).toThrow(/multipliers.cached/)
    const plain = { prompt: 10_000, cached: 10_000, completion: 10_000, reasoning: 10_000 }
    expect(() => storeParams({ ...example, structVersion: 0, multipliers: plain }, 'plain')).toThrow(/minClientStake/)
    const bad = { host: 'example.org', port: 80 }
    expect(() => rootRequest(1n, { op: 'registerProxy', endpoints: { forWorkers: bad, forClients: bad } })).toThrow(/forWorkers/)
  })

  it('say when the code is missing', () => {
    expect(() => clientInit({ owner, proxy: owner, publicKey: proxySeed, params: example })).toThrow(LayoutError)
  })
})

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
    const params = storeParams(example, 'plain')
    expect(() => parseParams(beginCell().storeSlice(params.beginParse()).storeBit(1).endCell())).toThrow(LayoutError)
  })
})

describe('newer root contracts', () => {
  const upgraded = (structVersion: number, tail: Cell[]) => {
    const slice = rootData({ owner, params: example }).beginParse()
    const head = beginCell().storeBits(slice.loadBits(slice.remainingBits)).storeRef(slice.loadRef())
    const params = slice.loadRef().beginParse().skip(8)
    head.storeRef(beginCell().storeUint(structVersion, 8).storeSlice(params).endCell())
    for (const cell of tail) head.storeRef(cell)
    return head.endCell()
  }
  const keys = Dictionary.empty<bigint, Cell>(Dictionary.Keys.BigUint(256), {
    serialize: (cell, builder) => {
      builder.storeSlice(cell.beginParse())
    },
    parse: () => Cell.EMPTY,
  })
  keys.set(7n, beginCell().storeUint(1, 8).storeUint(1_900_000_000, 32).endCell())
  const keyManager = beginCell().storeDict(keys).storeUint(5, 256).storeUint(6, 256).storeUint(0, 8).endCell()
  const verified = beginCell().storeDict(keys).storeDict(null).storeDict(null).endCell()

  it('are read up to struct version 5', () => {
    const four = parseRootState(upgraded(4, [keyManager]))
    expect(four.keyManager?.keys).toEqual([{ publicKey: '7'.padStart(64, '0'), type: 1, expiresAtSec: 1_900_000_000 }])
    expect(four.keyManager).toMatchObject({ publicKey: '5'.padStart(64, '0'), endpoints: null })
    const five = parseRootState(upgraded(5, [keyManager, verified]))
    expect([...(five.verifiedKeys?.proxy ?? [])]).toEqual(['7'.padStart(64, '0')])
  })

  it('say that an update is needed from 6 on, and refuse surplus data', () => {
    const error = (() => {
      try {
        return parseRootState(upgraded(6, [keyManager, verified]))
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(LayoutError)
    expect(error).toMatchObject({ newer: true })
    expect(() => parseRootState(upgraded(3, [keyManager]))).toThrow(LayoutError)
    expect(() => parseRootState(upgraded(4, []))).toThrow(LayoutError)
  })
})

describe('addresses of proxies', () => {
  it('parse in both forms, brackets stripped', () => {
    const a = { host: '10.1.2.3', port: 11_001 }
    const b = { host: '10.1.2.4', port: 11_002 }
    expect(parseEndpoints('10.1.2.3:11001')).toEqual({ forWorkers: a, forClients: a })
    expect(parseEndpoints('[10.1.2.3:11001] [10.1.2.4:11002]')).toEqual({ forWorkers: a, forClients: b })
    expect(formatEndpoints({ forWorkers: a, forClients: b })).toBe('10.1.2.3:11001 10.1.2.4:11002')
    expect(formatEndpoints({ forWorkers: a, forClients: a })).toBe('10.1.2.3:11001')
    for (const text of [
      '',
      'abc',
      '1.2.3:4',
      '1.2.3.256:4',
      '1.2.3.4:0',
      '1.2.3.4:65536',
      '1.2.3.4:5 6',
      '1.2.3.4:5 1.2.3.4:5 x',
    ]) {
      expect(parseEndpoints(text)).toBeNull()
    }
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
