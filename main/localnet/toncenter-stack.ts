import { Cell, type TupleItem } from '@ton/core'
import { z } from 'zod'

const number = z.union([z.string().regex(/^-?(0x[0-9a-fA-F]{1,64}|\d{1,78})$/), z.number().int()])
const base64 = z.string().max(200_000)

/** Arguments of a get-method, as clients send them. */
export const stackArgument = z.union([
  z.tuple([z.literal('num'), number]),
  z.tuple([z.enum(['tvm.Cell', 'tvm.Slice', 'tvm.Builder', 'cell', 'slice', 'builder']), base64]),
])

/** @throws Error when a cell cannot be read. */
export function readArgument(argument: z.infer<typeof stackArgument>): TupleItem {
  const [kind, value] = argument
  if (kind === 'num') return { type: 'int', value: readNumber(value) }
  const cell = Cell.fromBase64(value)
  if (kind === 'tvm.Slice' || kind === 'slice') return { type: 'slice', cell }
  if (kind === 'tvm.Builder' || kind === 'builder') return { type: 'builder', cell }
  return { type: 'cell', cell }
}

function readNumber(text: string | number): bigint {
  if (typeof text === 'number') return BigInt(text)
  return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text)
}

/** A result as the toncenter API writes it on the top level of a stack. */
export function writeItem(item: TupleItem): [string, unknown] {
  switch (item.type) {
    case 'int':
      return ['num', hex(item.value)]
    case 'cell':
    case 'slice':
    case 'builder':
      return [item.type, { bytes: item.cell.toBoc().toString('base64') }]
    case 'tuple':
      return ['tuple', { '@type': 'tvm.tuple', elements: item.items.map(writeNested) }]
    case 'null':
      return ['list', { '@type': 'tvm.list', elements: [] }]
    case 'nan':
      return ['num', 'NaN']
  }
}

function writeNested(item: TupleItem): unknown {
  switch (item.type) {
    case 'int':
      return { '@type': 'tvm.stackEntryNumber', number: { '@type': 'tvm.numberDecimal', number: item.value.toString() } }
    case 'cell':
    case 'builder':
      return { '@type': 'tvm.stackEntryCell', cell: { '@type': 'tvm.cell', bytes: item.cell.toBoc().toString('base64') } }
    case 'slice':
      return { '@type': 'tvm.stackEntrySlice', slice: { '@type': 'tvm.slice', bytes: item.cell.toBoc().toString('base64') } }
    case 'tuple':
      return { '@type': 'tvm.stackEntryTuple', tuple: { '@type': 'tvm.tuple', elements: item.items.map(writeNested) } }
    case 'null':
    case 'nan':
      return { '@type': 'tvm.stackEntryList', list: { '@type': 'tvm.list', elements: [] } }
  }
}

function hex(value: bigint): string {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}
