import { beginCell } from '@ton/core'
import { expect } from 'vitest'
import { OP_EXCESSES } from '../common.ts'
import { OP_ADD_PUBLIC_KEY_SIGNED, parseKeyRegistration, repackKeyRegistration, signKeyRegistration } from '../root-keys.ts'
import { keySigner } from '../signed.ts'
import type { Testbed } from '../testbed.ts'
import { accepts, type Case, refuses } from './case.ts'
import { body, byOwner, managerSeed, order, other, otherText, rootStage, soon, to } from './root-stage.ts'
import { ask, done, misshapen, QUERY_ID, refused, VALUE } from './stage.ts'

const register = (bed: Testbed, key = other, change: { expiresAtSec?: number; queryId?: bigint; seed?: Uint8Array } = {}) =>
  signKeyRegistration(
    { queryId: change.queryId ?? QUERY_ID, publicKey: key, type: 1, expiresAtSec: change.expiresAtSec ?? soon(bed) },
    bed.excesses,
    keySigner(change.seed ?? managerSeed),
  )

const keyRow = 'root/add-public-key-signed'
export const rootKeyCases: readonly Case[] = [
  accepts(keyRow, 'lists the key, whoever sends it, and returns the surplus where it says', async () => {
    for (const structVersion of [4, 5]) {
      const bed = await rootStage(structVersion)
      const outcome = await done(bed, to(bed), register(bed))
      const after = await bed.rootState()
      expect(after.keyManager?.keys).toEqual([{ publicKey: otherText, type: 1, expiresAtSec: soon(bed) }])
      expect(after.version).toBe(6)
      expect(outcome.arrivedAt(bed.excesses)).toMatchObject([{ op: OP_EXCESSES, value: VALUE - outcome.fees }])
    }
  }),
  accepts(keyRow, 'with another receiver of the surplus', async () => {
    const bed = await rootStage(4)
    const message = parseKeyRegistration(new Uint8Array(register(bed).toBoc()))
    const outcome = await done(bed, to(bed), repackKeyRegistration(message, bed.stranger))
    expect(outcome.arrivedAt(bed.stranger)).toMatchObject([{ op: OP_EXCESSES }])
  }),
  accepts(
    keyRow,
    'does nothing as a bounced message',
    async () => {
      const bed = await rootStage(4)
      const outcome = await ask(bed, to(bed), register(bed), { bounced: true })
      expect([outcome.failures, (await bed.rootState()).version]).toEqual([[], 5])
    },
    'bounced',
  ),
  accepts(keyRow, 'a listed key that shall last longer', async () => {
    const bed = await rootStage(4)
    await done(bed, to(bed), register(bed))
    await done(bed, to(bed), register(bed, other, { expiresAtSec: soon(bed) + 1 }))
    expect((await bed.rootState()).keyManager?.keys).toMatchObject([{ expiresAtSec: soon(bed) + 1 }])
  }),
  accepts(keyRow, 'keys that have expired make room', async () => {
    const bed = await rootStage(4)
    for (let n = 1; n <= 8; n++) {
      const key = new Uint8Array(32).fill(n * 16)
      await done(bed, to(bed), register(bed, key, { expiresAtSec: (bed.chain.now ?? 0) + 100 }))
    }
    bed.pass(200)
    for (let n = 1; n <= 4; n++) await done(bed, to(bed), register(bed, new Uint8Array(32).fill(n * 16 + 1)))
    const listed = (await bed.rootState()).keyManager?.keys ?? []
    expect(listed.filter((key) => key.expiresAtSec === soon(bed))).toHaveLength(4)
    expect(listed.filter((key) => key.expiresAtSec < (bed.chain.now ?? 0))).toHaveLength(0)
  }),
  refuses(
    keyRow,
    'another key, also that of the owner or of a proxy',
    async () => {
      const bed = await rootStage(4)
      for (const seed of [bed.proxySeed, new Uint8Array(32)]) {
        await refused(bed, to(bed), register(bed, other, { seed }), 1007)
        await refused(bed, to(bed), register(bed, other, { seed }), 1007, byOwner)
      }
      const message = parseKeyRegistration(register(bed))
      const signature = message.signature.map((byte, index) => (index === 10 ? byte ^ 1 : byte))
      await refused(bed, to(bed), repackKeyRegistration({ ...message, signature }, bed.excesses), 1007)
    },
    'signature',
  ),
  refuses(
    keyRow,
    'a payload of another message',
    async () => {
      const bed = await rootStage(4)
      const tail = register(bed).beginParse().skip(96)
      const moved = beginCell().storeUint(OP_ADD_PUBLIC_KEY_SIGNED, 32).storeUint(7, 64).storeSlice(tail).endCell()
      await refused(bed, to(bed), moved, 1005)
    },
    'signature',
  ),
  refuses(
    keyRow,
    'anything while there is no key manager',
    async () => {
      const bed = await rootStage(4)
      const nobody = new Uint8Array(32)
      await order(bed, { op: 'changeKeyManager', publicKey: nobody, imageHash: nobody, endpoints: null })
      // With a key of zeros a signature of zeros could pass, as could one by any other point of small order.
      const message = parseKeyRegistration(register(bed))
      for (const first of [0, 1, 0xec]) {
        const signature = new Uint8Array(64)
        signature[0] = first
        if (first === 0xec) signature.fill(0xff, 1, 31).fill(0x7f, 31, 32)
        await refused(bed, to(bed), repackKeyRegistration({ ...message, signature }, bed.excesses), 1007)
      }
    },
    'signature',
  ),
  refuses(
    keyRow,
    'the same message once more, also after the key was replaced by a longer one',
    async () => {
      const bed = await rootStage(4)
      const first = register(bed)
      await done(bed, to(bed), first)
      await refused(bed, to(bed), first, 1000)
      await done(bed, to(bed), register(bed, other, { expiresAtSec: soon(bed) + 9 }))
      await refused(bed, to(bed), first, 1000)
    },
    'replay',
  ),
  refuses(
    keyRow,
    'a key that has expired',
    async () => {
      const bed = await rootStage(4)
      const now = bed.chain.now ?? 0
      await refused(bed, to(bed), register(bed, other, { expiresAtSec: now }), 1000)
      await done(bed, to(bed), register(bed, other, { expiresAtSec: now + 1 }))
    },
    'old',
  ),
  refuses(
    keyRow,
    'a body or payload that is too long or too short',
    async () => {
      const bed = await rootStage(4)
      for (const shape of Object.values(misshapen(register(bed)))) {
        await refused(bed, to(bed), shape, [9, 1004])
      }
      const message = parseKeyRegistration(register(bed))
      for (const payloadCell of Object.values(misshapen(message.payloadCell))) {
        const signature = keySigner(managerSeed)(payloadCell.hash())
        await refused(bed, to(bed), repackKeyRegistration({ ...message, payloadCell, signature }, bed.excesses), [9, 1005])
      }
    },
    'format',
  ),
  ...(['root/add-public-key', 'root/change-key-manager', keyRow] as const).map((row) =>
    refuses(row, 'in struct versions without a key manager', async () => {
      for (const structVersion of [0, 3]) {
        const bed = await rootStage(structVersion)
        const bodies = {
          'root/add-public-key': () => body({ op: 'addPublicKey', publicKey: other, type: 1, expiresAtSec: soon(bed) }),
          'root/change-key-manager': () => body({ op: 'changeKeyManager', publicKey: other, imageHash: other, endpoints: null }),
          [keyRow]: () => register(bed),
        }
        await refused(bed, to(bed), bodies[row](), 1012, byOwner)
      }
    }),
  ),
]
