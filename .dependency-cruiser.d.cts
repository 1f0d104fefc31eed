import type { ICruiseOptions, IForbiddenRuleType } from 'dependency-cruiser'

declare const config: { forbidden: Array<IForbiddenRuleType & { name: string }>; options: ICruiseOptions }
export = config
