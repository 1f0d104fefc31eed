import { createLogger } from '../../base/logger.ts'
import { takeFromWheel, type WheelOptions } from '../wheel.ts'

// A process of its own that takes a file out of a wheel, to be killed in the middle. Options as JSON in the first argument.
const options = JSON.parse(process.argv[2] ?? '') as Omit<WheelOptions, 'signal' | 'logger' | 'onProgress'>
const logger = createLogger((line) => process.stderr.write(`${line}\n`))
await takeFromWheel({ ...options, signal: new AbortController().signal, logger, onProgress: () => undefined })
