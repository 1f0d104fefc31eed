import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { describe, expect, it } from 'vitest'
import { HkdfAtOnce } from './hkdf.ts'
import { suite } from './suite.ts'

const hex = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString('hex')
const counted = (from: number, count: number): Uint8Array => Uint8Array.from({ length: count }, (_, at) => from + at)

/** RFC 5869, appendix A.1 to A.3 */
const cases = [
  {
    name: 'A.1',
    ...{ ikm: new Uint8Array(22).fill(0x0b), salt: counted(0, 13), info: counted(0xf0, 10), length: 42 },
    prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
    okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  },
  {
    name: 'A.2, several blocks',
    ...{ ikm: counted(0, 80), salt: counted(0x60, 80), info: counted(0xb0, 80), length: 82 },
    prk: '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
    okm: 'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
  },
  {
    name: 'A.3, without salt and info',
    ...{ ikm: new Uint8Array(22).fill(0x0b), salt: new Uint8Array(0), info: new Uint8Array(0), length: 42 },
    prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
    okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  },
]

describe('HKDF at once', () => {
  for (const { name, ikm, salt, info, length, prk, okm } of cases)
    it(`gives what RFC 5869 ${name} says`, async () => {
      const kdf = new HkdfAtOnce()
      expect(hex(await kdf.extract(salt, ikm))).toBe(prk)
      expect(hex(await kdf.expand(Buffer.from(prk, 'hex'), info, length))).toBe(okm)
      expect(hex(await kdf.extractAndExpand(salt, ikm, info, length))).toBe(okm)
    })

  it('refuses more than 255 blocks', async () => {
    await expect(new HkdfAtOnce().expand(new Uint8Array(32), new Uint8Array(0), 255 * 32 + 1)).rejects.toThrow(RangeError)
  })

  it('seals and opens what the library’s own suite opens and seals', async () => {
    const theirs = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
    const pair = await theirs.kem.generateKeyPair()
    const info = counted(1, 50).buffer as ArrayBuffer
    const [text, label] = [counted(7, 90).buffer as ArrayBuffer, counted(3, 20).buffer as ArrayBuffer]
    for (const [sending, receiving] of [
      [suite, theirs],
      [theirs, suite],
    ] as const) {
      const sender = await sending.createSenderContext({ recipientPublicKey: pair.publicKey, info })
      const recipient = await receiving.createRecipientContext({ recipientKey: pair, enc: sender.enc, info })
      expect(hex(await recipient.open(await sender.seal(text)))).toBe(hex(text))
      expect(hex(await recipient.export(label, 32))).toBe(hex(await sender.export(label, 32)))
    }
  })
})
