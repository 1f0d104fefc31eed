import { randomBytes } from 'node:crypto'
import { MultipartParseError, type MultipartPart, parseMultipart } from '@remix-run/multipart-parser'
import { Failure } from '../../base/failure.ts'

/** One field of a form, or a file (RFC 7578). */
export interface FormPart {
  readonly name: string
  /** Absent for a plain field. */
  readonly fileName?: string
  readonly contentType?: string
  readonly bytes: Uint8Array
}

/** A form as it is sent: the boundary in its type separates the parts of its bytes. */
export interface FormBytes {
  readonly contentType: string
  readonly bytes: Uint8Array
}

/** No request has more fields, and no field a longer head. */
const mostParts = 64
const mostHeadBytes = 4096
const mostTypeLetters = 512
/** Letters that a boundary may have (RFC 2046 §5.1.1), in quotes or, but for some, without. */
const boundaries = /;\s*boundary\s*=\s*(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'+_.-]{1,70}))\s*(?=;|$)/gi

const invalid = (message: string): Failure<'invalid-request'> =>
  new Failure('invalid-request', message, { advice: 'Change the request and send it again.' })

/** Whether a Content-Type names a form of parts. */
export function isForm(contentType: string | undefined): contentType is string {
  return (
    contentType !== undefined && contentType.length <= mostTypeLetters && /^\s*multipart\/form-data\s*(?:;|$)/i.test(contentType)
  )
}

/**
 * The parts of a form. What two readers might read in two ways (two boundaries, parts without a name) is refused; what is taken is passed on as
 * `writeForm` writes it, so that nobody reads anything else.
 * @param contentType as in the request's head
 * @throws Failure `invalid-request`; its message names nothing of the parts' contents
 */
export function readForm(contentType: string | undefined, bytes: Uint8Array): FormPart[] {
  if (!isForm(contentType)) throw invalid('expected multipart/form-data')
  const found = [...contentType.matchAll(boundaries)]
  const boundary = found[0]?.[1] ?? found[0]?.[2]
  if (boundary === undefined || found.length > 1 || boundary.endsWith(' ')) throw invalid('expected one boundary of the form')
  const limits = { maxHeaderSize: mostHeadBytes, maxFileSize: bytes.length, maxParts: mostParts, maxTotalSize: bytes.length }
  try {
    const parts: FormPart[] = []
    for (const part of parseMultipart(bytes, { boundary, ...limits })) parts.push(partOf(part))
    if (parts.length === 0) throw invalid('the form is empty')
    return parts
  } catch (thrown) {
    // A TypeError is the decoder's word for a head that is not UTF-8.
    if (!(thrown instanceof MultipartParseError || thrown instanceof TypeError)) throw thrown
    throw invalid('malformed multipart/form-data')
  }
}

function partOf(part: MultipartPart): FormPart {
  const { headers, bytes } = part
  const disposition = headers['content-disposition'] ?? ''
  if (!/^\s*form-data\s*(?:;|$)/i.test(disposition)) throw invalid('a part of the form is no form-data')
  // Some programs write names so although RFC 7578 §4.2 forbids it. The library writes any other charset into the terminal.
  if (/filename\*\s*=(?!\s*"?utf-8')/i.test(disposition)) throw invalid('the name of a file in the form is not UTF-8')
  const { name, filename: fileName } = part
  if (name === undefined || name === '') throw invalid('a part of the form has no name')
  // Whoever does not decode it would read other bytes (RFC 7578 §4.7).
  const encoding = headers['content-transfer-encoding']?.toLowerCase() ?? 'binary'
  if (!['7bit', '8bit', 'binary'].includes(encoding)) throw invalid('a part of the form is in a transfer encoding')
  const contentType = headers['content-type']
  return { name, bytes, ...(fileName === undefined ? {} : { fileName }), ...(contentType === undefined ? {} : { contentType }) }
}

/** The text of a plain field. @throws Failure `invalid-request` for a file, and for what is not UTF-8 */
export function textOf({ name, fileName, bytes }: FormPart): string {
  if (fileName === undefined) {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      // Not UTF-8.
    }
  }
  throw invalid(`${name} must be text`)
}

/** Types that can stand in a head without a second meaning. */
const plainTypes = /^[\w.+-]+\/[\w.+-]+(?:\s*;\s*[\w-]+=[\w.+-]+)*$/

/** Parts as a form, with a boundary that occurs in none of them. */
export function writeForm(parts: readonly FormPart[]): FormBytes {
  let boundary: string
  do boundary = `cocoon-${randomBytes(16).toString('hex')}`
  while (parts.some(({ bytes }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(boundary)))
  const pieces = parts.flatMap(({ name, fileName, contentType, bytes }) => {
    const file = fileName === undefined ? '' : `; filename="${escaped(fileName)}"`
    const ofFile = fileName === undefined ? '' : `Content-Type: ${typeOf(contentType)}\r\n`
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"${file}\r\n${ofFile}\r\n`
    return [Buffer.from(head), bytes, crlf]
  })
  const bytes = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)])
  return { contentType: `multipart/form-data; boundary=${boundary}`, bytes }
}

const crlf = Buffer.from('\r\n')
const typeOf = (given: string | undefined): string =>
  given !== undefined && plainTypes.test(given) ? given : 'application/octet-stream'

/** Names in heads as browsers write them: what would end the quotes or the line is in percent signs. */
function escaped(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
