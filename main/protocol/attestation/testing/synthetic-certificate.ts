import { type KeyObject, sign } from 'node:crypto'
import { derTags } from '../der.ts'
import { bits, boolean, der, integer, integerHex, octets, oid, sequence, time } from './der-writer.ts'

/** What goes into a certificate that looks like one of Intel's. */
export interface CertificateRecipe {
  commonName: string
  issuerName: string
  serial: string
  notBeforeMs: number
  notAfterMs: number
  publicKey: KeyObject
  signer: KeyObject
  isAuthority: boolean
  pathLength: number | undefined
  /** First byte of the key usage bits. */
  keyUsage: number
  extensions: { oid: string; critical: boolean; value: Uint8Array }[]
}

/** What goes into a list of revoked certificates. */
export interface ListRecipe {
  issuerName: string
  signer: KeyObject
  issuedAtMs: number
  nextUpdateMs: number
  revoked: string[]
  extensions: { oid: string; critical: boolean; value: Uint8Array }[]
}

const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))

export function makeCertificate(recipe: CertificateRecipe): Buffer {
  const constraints = [
    ...(recipe.isAuthority ? [boolean(true)] : []),
    ...(recipe.pathLength === undefined ? [] : [integer(recipe.pathLength)]),
  ]
  const body = sequence(
    der(derTags.explicit0, integer(2)),
    integerHex(recipe.serial),
    ecdsaWithSha256,
    name(recipe.issuerName),
    sequence(time(recipe.notBeforeMs), time(recipe.notAfterMs)),
    name(recipe.commonName),
    recipe.publicKey.export({ format: 'der', type: 'spki' }),
    der(
      derTags.explicit3,
      extensions([
        { oid: '2.5.29.15', critical: true, value: bits(Uint8Array.of(recipe.keyUsage)) },
        { oid: '2.5.29.19', critical: true, value: sequence(...constraints) },
        ...recipe.extensions,
      ]),
    ),
  )
  return signed(body, recipe.signer)
}

export function makeList(recipe: ListRecipe): Buffer {
  const entries = recipe.revoked.map((serial) => sequence(integerHex(serial), time(recipe.issuedAtMs)))
  const body = sequence(
    integer(1),
    ecdsaWithSha256,
    name(recipe.issuerName),
    time(recipe.issuedAtMs),
    time(recipe.nextUpdateMs),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    der(derTags.explicit0, extensions([{ oid: '2.5.29.20', critical: false, value: integer(1) }, ...recipe.extensions])),
  )
  return signed(body, recipe.signer)
}

export function pem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** What the certificate of a platform says about it, in the place that Intel gives it. */
export function sgxExtension(platform: {
  readonly fmspc: string
  readonly pceId: string
  readonly pceSvn: number
  readonly cpuSvn: readonly number[]
}): CertificateRecipe['extensions'][number] {
  const base = '1.2.840.113741.1.13.1'
  const pair = (suffix: string, value: Uint8Array): Buffer => sequence(oid(`${base}.${suffix}`), value)
  const tcb = sequence(
    ...platform.cpuSvn.map((svn, i) => pair(`2.${i + 1}`, integer(svn))),
    pair('2.17', integer(platform.pceSvn)),
    pair('2.18', octets(Uint8Array.from(platform.cpuSvn))),
  )
  const value = sequence(
    pair('1', octets(new Uint8Array(16).fill(0xaa))),
    pair('2', tcb),
    pair('3', octets(Buffer.from(platform.pceId, 'hex'))),
    pair('4', octets(Buffer.from(platform.fmspc, 'hex'))),
    pair('5', der(0x0a, Uint8Array.of(1))),
  )
  return { oid: base, critical: false, value }
}

function signed(body: Uint8Array, signer: KeyObject): Buffer {
  return sequence(body, ecdsaWithSha256, bits(sign('sha256', body, signer)))
}

function extensions(list: CertificateRecipe['extensions']): Buffer {
  return sequence(
    ...list.map(({ oid: id, critical, value }) => sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value))),
  )
}

function name(commonName: string): Buffer {
  const attribute = (type: string, text: string): Buffer => der(derTags.set, sequence(oid(type), der(0x0c, Buffer.from(text))))
  return sequence(attribute('2.5.4.3', commonName), attribute('2.5.4.10', 'Synthetic Corporation'), attribute('2.5.4.6', 'US'))
}
