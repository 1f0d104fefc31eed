import { createHash } from 'node:crypto'
import { Address, type BitString, beginCell, type Cell } from '@ton/core'
import { expect, it } from 'vitest'
import { hex } from './cells.ts'
import { clientInit } from './client.ts'
import { cocoonWalletInit } from './cocoon-wallet.ts'
import { EXAMPLE_PARAMS } from './example-params.ts'
import { storeParams } from './params.ts'
import { proxyInit } from './proxy.ts'
import { keySigner, parseSigned, publicKeyOfSeed, signedPayloadCell, signMessage } from './signed.ts'
import { workerInit } from './worker.ts'

// The example of protocol 60 §2 and §4. Its contract code is not ours to have, but the protocol tells the hash of each code cell, and
// a cell's hash depends on its references by their hash and depth alone. The depths are what makes the params hash come out.

const owner = Address.parse('UQAuz15H1ZHrZ_psVrAra7HealMIVeFq0wguqlmFno1f3B-m')
const root = Address.parse('EQBT4hy4vMEZ9uxSCuhw_gBKh9_AwmHXLe7Wo0O4Vh-4kRjJ')
const proxySeed = new Uint8Array(Buffer.from('ml+7xELuOQtfp9q9mSWtHiSWx5aSBV6p3xCfwPmHOwY=', 'base64'))
const clientSeed = new Uint8Array(Buffer.from('gaEatwGNgLGOeFI/TRGfPdJG/K4G8picYHQkDHpLQ9w=', 'base64'))
const proxyKey = publicKeyOfSeed(proxySeed)
const wallet = cocoonWalletInit(publicKeyOfSeed(clientSeed), owner)

interface Ref {
  readonly hash: Buffer
  readonly depth: number
}
const codeHash = {
  proxy: '00b2c57d43c1dbc3e12cfa240494a168c78feca90a9b99ebe796b139ed713890',
  worker: '1aaa0512c489a0382b163f7d706e2b4182f1a38fcc46208be5fa22d7faed5aa7',
  client: '974d24538e6003b1a393f8708525b81324cf8a78aee88b4585d51b6f64555147',
} as const
const codeRef = (name: keyof typeof codeHash, depth: number): Ref => ({ hash: Buffer.from(codeHash[name], 'hex'), depth })
const refOf = (cell: Cell): Ref => ({ hash: cell.hash(), depth: cell.depth() })

/** Representation hash of an ordinary cell whose references are known by hash and depth alone. */
function hashed(bits: BitString, refs: readonly Ref[]): Ref {
  const full = Math.floor(bits.length / 8)
  const padded = beginCell().storeBits(bits)
  if (bits.length % 8 !== 0) {
    padded.storeBit(1)
    while (padded.bits % 8 !== 0) padded.storeBit(0)
  }
  const data = padded.endCell().beginParse()
  const descriptor = Buffer.from([refs.length, full + Math.ceil(bits.length / 8)])
  const depths = Buffer.from(refs.flatMap(({ depth }) => [depth >> 8, depth & 255]))
  const hash = createHash('sha256')
    .update(Buffer.concat([descriptor, data.loadBuffer(data.remainingBits / 8), depths, ...refs.map((ref) => ref.hash)]))
    .digest()
  return { hash, depth: refs.length === 0 ? 0 : 1 + Math.max(...refs.map(({ depth }) => depth)) }
}

const stateInit = beginCell().storeUint(0b00110, 5).endCell().bits
const addressOf = (code: Ref, data: Ref) => new Address(0, hashed(stateInit, [code, data]).hash).toString()

const depths = Array.from({ length: 24 }, (_, depth) => depth)

function depthsOf(
  bits: BitString,
  names: readonly (keyof typeof codeHash)[],
  expected: string,
  known: readonly Ref[] = [],
): Ref[] {
  const [name, ...rest] = names
  if (name === undefined) return hex(hashed(bits, known).hash) === expected ? [...known] : []
  for (const depth of depths) {
    const found = depthsOf(bits, rest, expected, [...known, codeRef(name, depth)])
    if (found.length > 0) return found
  }
  return []
}

it('has the params cells and the addresses of the example', () => {
  const proxyForm = storeParams(EXAMPLE_PARAMS, 'proxy')
  const [worker, client] = depthsOf(
    proxyForm.bits,
    ['worker', 'client'],
    '0ab99e10ed3c8fbcee46f19ed57ef76358f77685972feff26f9abdfc0dca8d84',
  )
  if (worker === undefined || client === undefined) throw new Error('the proxy form of the params differs')
  const rootForm = storeParams(EXAMPLE_PARAMS, 'root')
  const inRoot = '0883be65d3cb7642202961503da2530f5458630620cd546696de50dd7bc66db8'
  const proxy = depths
    .map((depth) => codeRef('proxy', depth))
    .find((ref) => hex(hashed(rootForm.bits, [ref, worker, client]).hash) === inRoot)
  if (proxy === undefined) throw new Error('the root form of the params differs')
  const plain = storeParams(EXAMPLE_PARAMS, 'plain')
  expect(hex(plain.hash())).toBe('cd9077a5040834e018396c044f0121e8c74aa8519a69798a3aa72e67f3d435f5')

  const { data } = proxyInit({ owner, publicKey: proxyKey, root, params: EXAMPLE_PARAMS }).init
  const paramsRef = hashed(proxyForm.bits, [worker, client])
  const proxyAddress = addressOf(proxy, hashed(data.bits, [paramsRef]))
  expect(proxyAddress).toBe('EQCDhgRrpMDa2xcu1Pfc_fPmffQEj3TadXeVxdMEfA00wRZq')

  const common = { proxy: Address.parse(proxyAddress), publicKey: proxyKey, params: EXAMPLE_PARAMS }
  const workerData = workerInit({ ...common, owner }).init.data
  expect(addressOf(worker, refOf(workerData))).toBe('EQB51cEwKwmo-GA6xIs6FHUKTh-Cwk118GnX2xtXhffo7gKV')
  const clientData = clientInit({ ...common, owner: wallet.address }).init.data
  expect(addressOf(client, refOf(clientData))).toBe('EQA7fCYyyJPck3ibgemPhpnw-3dz_Hy9kHOfhhsYMjZpy422')
  // The other way of hashing agrees with the library.
  expect(hashed(clientData.bits, clientData.refs.map(refOf)).hash.equals(clientData.hash())).toBe(true)
  expect(hashed(plain.bits, []).hash.equals(plain.hash())).toBe(true)
  expect(wallet.address.toString()).toBe('EQCdj43bBDyeJlfe6FVSpWLfsDMp4YHbmz5lca5-tNz-f0Bx')
})

it('has the signed charge of the example', () => {
  const contract = Address.parse('EQA7fCYyyJPck3ibgemPhpnw-3dz_Hy9kHOfhhsYMjZpy422')
  const payload = { kind: 'client-charge', queryId: 7n, tokens: 5020n, contract } as const
  expect(hex(signedPayloadCell(payload).hash())).toBe('20e07b203dcbd55ef220f65142c61a0ef39a24af1a9df22435b6943c1fd87954')
  const body = signMessage(payload, wallet.address, keySigner(proxySeed))
  expect(hex(body.hash())).toBe('b910739d7ffb1594d7b9cbfb1b356293ccd2af2cb5acdfbe11decaa9227b876e')
  expect(hex(parseSigned(body).signature)).toBe(
    '6bbacad1b4ecef752c697d5613b6b17d32560ea61438ea583433cbf8e43f656abd85597a82320131ff98edfa7450c92fac733a234e2664444b427555fcc1df07',
  )
})
