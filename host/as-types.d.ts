/** What tsc needs to read the constants of assembly/wire, which AssemblyScript reads too. */
declare type u8 = number;
declare type u16 = number;
declare type u32 = number;
declare type i32 = number;
