import { Address, beginCell, Cell, internal, type MessageRelaxed, toNano } from '@ton/core'
import { expect } from 'vitest'
import { LayoutError } from '../cells.ts'
import {
  cocoonWalletBody,
  cocoonWalletExternal,
  cocoonWalletInit,
  parseCocoonWalletState,
  parseWalletOrder,
  parseWalletOwnerMessage,
  walletOrderIsSigned,
  walletOwnerSend,
  walletOwnerText,
} from '../cocoon-wallet.ts'
import { excesses, OP_DO_NOT_PROCESS, payout } from '../common.ts'
import { keySigner, publicKeyOfSeed } from '../signed.ts'
import type { Testbed } from '../testbed.ts'
import { COCOON_WALLET_CODE_HASH } from '../wallet-code.ts'
import { accepts, type Case, refuses } from './case.ts'
import { bare, done, misshapen, refused } from './stage.ts'
import { externalOrder, walletSeed, walletStage } from './wallet-stage.ts'

const key = publicKeyOfSeed(walletSeed)
const signer = keySigner(walletSeed)
const empty = beginCell().endCell()
const coin = (bed: Testbed, value = toNano('0.1')): MessageRelaxed =>
  internal({ to: bed.stranger, value, bounce: false, body: empty })
const soon = (bed: Testbed) => (bed.chain.now ?? 0) + 60

const texts = { 'wallet/text-w': 'w', 'wallet/text-b': 'b', 'wallet/text-u': 'u' } as const

export const walletCases: readonly Case[] = [
  accepts('wallet/address', 'the deployed code, seqno 0, not blocked; the address of the protocol', () => {
    const seed = new Uint8Array(Buffer.from('gaEatwGNgLGOeFI/TRGfPdJG/K4G8picYHQkDHpLQ9w=', 'base64'))
    const owner = Address.parse('UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m')
    const wallet = cocoonWalletInit(publicKeyOfSeed(seed), owner)
    expect(wallet.init.code.hash().toString('hex')).toBe(COCOON_WALLET_CODE_HASH)
    expect(wallet.address.toString()).toBe('EQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-f0Bx')
    expect(parseCocoonWalletState(wallet.init.data)).toMatchObject({ seqno: 0, subwallet: 0, blocked: false })
  }),
  refuses('wallet/address', 'a key of another length, data with anything behind or missing', async () => {
    const { owner } = await bare()
    expect(() => cocoonWalletInit(new Uint8Array(33), owner)).toThrow('publicKey must be 32 bytes, not 33')
    const { init } = cocoonWalletInit(key, owner)
    for (const shape of Object.values(misshapen(init.data))) expect(() => parseCocoonWalletState(shape)).toThrow(LayoutError)
  }),
  accepts('wallet/external', 'one to four messages; read back as they were signed', async () => {
    for (const count of [1, 4]) {
      const { bed, send } = await walletStage({})
      const transfers = Array.from({ length: count }, (_, index) => ({
        message: coin(bed, toNano('0.1') + BigInt(index)),
        mode: 1,
      }))
      const body = cocoonWalletBody({ seqno: 0, validUntilSec: soon(bed), transfers }, signer)
      const order = parseWalletOrder(body)
      expect(order).toMatchObject({ subwallet: 0, seqno: 0, validUntilSec: soon(bed) })
      expect(order.transfers).toHaveLength(count)
      expect([walletOrderIsSigned(order, key), walletOrderIsSigned(order, bed.proxySeed)]).toEqual([true, false])
      expect((await send(body)).failures).toEqual([])
      expect(await bed.balance(bed.stranger)).toBe(BigInt(count) * toNano('0.1') + (count === 4 ? 6n : 0n))
    }
  }),
  refuses(
    'wallet/external',
    'none or five messages, numbers that do not fit, by name',
    async () => {
      const bed = await bare()
      const make = (change: { seqno?: number; validUntilSec?: number; count?: number; mode?: number }) => () =>
        cocoonWalletBody(
          {
            seqno: change.seqno ?? 0,
            validUntilSec: change.validUntilSec ?? 1,
            transfers: Array.from({ length: change.count ?? 1 }, () => ({ message: coin(bed), mode: change.mode ?? 1 })),
          },
          signer,
        )
      expect(make({ count: 0 })).toThrow('transfers must be 1..4, not 0')
      expect(make({ count: 5 })).toThrow('transfers must be 1..4, not 5')
      expect(make({ seqno: 2 ** 32 })).toThrow('seqno must be 0..2^32-1, not 4294967296')
      expect(make({ validUntilSec: -1 })).toThrow('validUntilSec must be 0..2^32-1, not -1')
      expect(make({ mode: 256 })).toThrow('mode must be 0..2^8-1, not 256')
      for (const shape of Object.values(misshapen(make({})()))) expect(() => parseWalletOrder(shape)).toThrow(LayoutError)
    },
    'format',
  ),
  refuses(
    'wallet/external',
    'a foreign signature',
    async () => {
      const { bed, send } = await walletStage({})
      await expect(send(externalOrder(bed, { seed: new Uint8Array(32) }))).rejects.toThrow(/1034/)
    },
    'signature',
  ),
  refuses(
    'wallet/external',
    'the same order once more',
    async () => {
      const { bed, send } = await walletStage({})
      const order = externalOrder(bed, {})
      await send(order)
      await expect(send(order)).rejects.toThrow(/1032/)
    },
    'replay',
  ),
  accepts('wallet/requirements', 'valid, next seqno, unblocked, above 2 TON', async () => {
    const { bed, send, address } = await walletStage({ balance: toNano('2.1') })
    await send(externalOrder(bed, { validForSec: 1 }))
    expect(parseCocoonWalletState(await bed.data(address)).seqno).toBe(1)
  }),
  refuses(
    'wallet/requirements',
    'expired, blocked, another seqno',
    async () => {
      for (const [change, code] of [
        [{ validForSec: 0 }, /1030/],
        [{ blocked: true }, /1031/],
        [{ seqno: 7 }, /1032/],
      ] as const) {
        const { bed, send } = await walletStage(change)
        await expect(send(externalOrder(bed, change))).rejects.toThrow(code)
      }
    },
    'state',
  ),
  refuses(
    'wallet/requirements',
    'less than 2 TON',
    async () => {
      const { bed, send } = await walletStage({ balance: toNano('2') })
      await expect(send(externalOrder(bed, {}))).rejects.toThrow(/1035/)
    },
    'value',
  ),
  accepts('wallet/first-message', 'deploys the wallet with its StateInit', async () => {
    const bed = await bare()
    const wallet = cocoonWalletInit(key, bed.owner)
    await bed.send({ from: bed.owner, to: wallet.address, value: toNano('5'), bounce: false })
    const outcome = await bed.sendExternal(cocoonWalletExternal(wallet.address, externalOrder(bed, {}), wallet.init))
    expect(outcome.failures).toEqual([])
    expect(parseCocoonWalletState(await bed.data(wallet.address)).seqno).toBe(1)
  }),
  refuses('wallet/first-message', 'nothing can be sent without it', async () => {
    const bed = await bare()
    const wallet = cocoonWalletInit(key, bed.owner)
    await bed.send({ from: bed.owner, to: wallet.address, value: toNano('5'), bounce: false })
    await expect(bed.sendExternal(cocoonWalletExternal(wallet.address, externalOrder(bed, {})))).rejects.toThrow()
  }),
  accepts('wallet/silent', 'from anyone, and nothing follows', async () => {
    const { bed, address } = await walletStage({})
    for (const body of [empty, excesses(1n), payout(1n), beginCell().storeUint(OP_DO_NOT_PROCESS, 32).endCell()]) {
      const outcome = await done(bed, address, body)
      expect(outcome.transactions).toHaveLength(1)
    }
  }),
  refuses('wallet/silent', 'anything else of a stranger', async () => {
    const { bed, address } = await walletStage({})
    await refused(bed, address, beginCell().storeUint(5, 32).endCell(), 1040)
  }),
  accepts('wallet/owner-send', 'any message with any mode; read back', async () => {
    const { bed, address } = await walletStage({})
    const body = walletOwnerSend(9n, { message: coin(bed, toNano('1')), mode: 1 })
    expect(parseWalletOwnerMessage(body)).toMatchObject({ kind: 'send', queryId: 9n, mode: 1 })
    await done(bed, address, body, { from: bed.owner })
    expect(await bed.balance(bed.stranger)).toBe(toNano('1'))
  }),
  refuses(
    'wallet/owner-send',
    'a stranger, also one who is the node',
    async () => {
      const { bed, address } = await walletStage({})
      const body = walletOwnerSend(9n, { message: coin(bed), mode: 1 })
      for (const from of [bed.stranger, bed.clientOwner, address]) {
        const outcome = await bed.send({ from, to: address, value: toNano('0.2'), body })
        expect(outcome.exitCode).toBe(1040)
      }
    },
    'sender',
  ),
  refuses(
    'wallet/owner-send',
    'no message, by the reader anything but these',
    async () => {
      const { bed, address } = await walletStage({})
      const body = walletOwnerSend(9n, { message: coin(bed), mode: 1 })
      const { 'a reference less': without, ...shapes } = misshapen(body)
      await refused(bed, address, without ?? Cell.EMPTY, 9, { from: bed.owner })
      for (const shape of [...Object.values(shapes), empty, excesses(1n)]) expect(parseWalletOwnerMessage(shape)).toBeNull()
      expect(() => walletOwnerSend(9n, { message: coin(bed), mode: -1 })).toThrow('mode must be 0..2^8-1, not -1')
    },
    'format',
  ),
  accepts('wallet/text-w', 'everything but 0.01 TON, bounceable, as the same text', async () => {
    const { bed, address } = await walletStage({})
    const outcome = await done(bed, address, walletOwnerText('w'), { from: bed.owner })
    const sent = outcome.transactions[0]?.outMessages.get(0)
    expect(sent?.info.type === 'internal' && sent.info.bounce).toBe(true)
    expect(sent?.body.equals(walletOwnerText('w'))).toBe(true)
    expect(outcome.arrivedAt(bed.owner)[0]?.value).toBeGreaterThan(toNano('5.4'))
  }),
  accepts('wallet/text-b', 'blocks', async () => {
    const { bed, send, address } = await walletStage({})
    await done(bed, address, walletOwnerText('b'), { from: bed.owner })
    expect(parseCocoonWalletState(await bed.data(address)).blocked).toBe(true)
    await expect(send(externalOrder(bed, {}))).rejects.toThrow(/1031/)
  }),
  accepts('wallet/text-u', 'unblocks', async () => {
    const { bed, send, address } = await walletStage({ blocked: true })
    await done(bed, address, walletOwnerText('u'), { from: bed.owner })
    expect((await send(externalOrder(bed, {}))).failures).toEqual([])
  }),
  ...(Object.keys(texts) as (keyof typeof texts)[]).flatMap((row) => [
    refuses(
      row,
      'a stranger',
      async () => {
        const { bed, address } = await walletStage({})
        for (const from of [bed.stranger, bed.clientOwner])
          await refused(bed, address, walletOwnerText(texts[row]), 1040, { from })
      },
      'sender',
    ),
    refuses(
      row,
      'the text with anything behind or missing',
      async () => {
        const { bed, address } = await walletStage({})
        for (const shape of Object.values(misshapen(walletOwnerText(texts[row])))) {
          await refused(bed, address, shape, 9, { from: bed.owner })
          expect(parseWalletOwnerMessage(shape)).toBeNull()
        }
        expect(parseWalletOwnerMessage(walletOwnerText(texts[row]))).toEqual({ kind: 'text', command: texts[row] })
      },
      'format',
    ),
  ]),
  accepts('wallet/getters', 'all three', async () => {
    const { bed, send, address } = await walletStage({})
    await send(externalOrder(bed, {}))
    const get = async (name: string) => (await bed.chain.runGetMethod(address, name)).stackReader
    expect((await get('seqno')).readBigNumber()).toBe(1n)
    expect((await get('get_public_key')).readBigNumber()).toBe(BigInt(`0x${Buffer.from(key).toString('hex')}`))
    expect((await get('get_owner_address')).readAddress().equals(bed.owner)).toBe(true)
  }),
  refuses('wallet/getters', 'another name', async () => {
    const { bed, address } = await walletStage({})
    await expect(bed.chain.runGetMethod(address, 'get_subwallet_id')).rejects.toThrow()
  }),
]
