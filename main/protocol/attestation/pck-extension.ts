import { AttestationError } from './attestation-error.ts'
import { childrenOf, type DerElement, derTags, expectTag, oidOf, readDer, smallIntegerOf } from './der.ts'
import type { IntelCertificate } from './intel-certificate.ts'

/** What the certificate of a platform says about it (Intel's SGX extension of PCK certificates). */
export interface Platform {
  /** Family and model of the processor, 6 bytes in hex. */
  readonly fmspc: string
  /** 2 bytes in hex. */
  readonly pceId: string
  readonly pceSvn: number
  /** Sixteen versions of microcode and firmware. */
  readonly cpuSvn: readonly number[]
  /** Which of Intel's authorities signed it, by the name that the collateral service uses. */
  readonly authority: 'platform' | 'processor'
}

const sgx = '1.2.840.113741.1.13.1'
const cpuSvnCount = 16

/** @throws AttestationError `chain-malformed` */
export function readPlatform(pck: IntelCertificate, issuer: IntelCertificate): Platform {
  try {
    const extension = pck.extensions.get(sgx)
    if (extension === undefined) throw new TypeError('no SGX extension')
    const top = byOid(readDer(extension.value))
    const tcb = byOid(expectTag(top.get(`${sgx}.2`), derTags.sequence))
    return {
      fmspc: octets(top.get(`${sgx}.4`), 6),
      pceId: octets(top.get(`${sgx}.3`), 2),
      pceSvn: smallIntegerOf(tcb.get(`${sgx}.2.17`)),
      cpuSvn: Array.from({ length: cpuSvnCount }, (_, i) => smallIntegerOf(tcb.get(`${sgx}.2.${i + 1}`))),
      authority: issuer.commonName.includes('Platform') ? 'platform' : 'processor',
    }
  } catch (cause) {
    throw new AttestationError('chain-malformed', 'The certificate of the platform does not say what it is', { cause })
  }
}

function byOid(list: DerElement): Map<string, DerElement> {
  const values = new Map<string, DerElement>()
  for (const pair of childrenOf(list, derTags.sequence)) {
    const [oid, value] = childrenOf(pair, derTags.sequence)
    const name = oidOf(oid)
    if (value === undefined || values.has(name)) throw new TypeError(`no value, or two, for ${name}`)
    values.set(name, value)
  }
  return values
}

function octets(element: DerElement | undefined, length: number): string {
  const { content } = expectTag(element, derTags.octetString)
  if (content.length !== length) throw new TypeError(`${content.length} bytes in the place of ${length}`)
  return Buffer.from(content).toString('hex')
}
