export declare const regionOf: (text: string, name: string) => string | undefined
export declare const pasted: (document: string, read?: (path: string) => string) => string
export declare const documents: () => ReadonlyArray<string>
